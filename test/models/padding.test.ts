import { afterAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../lib/checkpoints/config.js';
import { Scope } from '../../lib/layers/scope.js';
import { unseen } from '../../lib/layers/sequence.js';
import { type EncoderInputs, packInputs } from '../../lib/models/encoder_inputs.js';
import { EncoderRunner } from '../../lib/models/encoder_runner.js';
import { blindRows } from '../../lib/models/padding.js';
import { architectureOf } from '../../lib/models/registry.js';
import { pool } from '../../lib/ops/index.js';
import { nativeBackend } from '../native.js';
import { tinyBert } from '../tasks/tiny_model.js';

const scope = Scope.random(3);
const { architecture } = architectureOf(['BertModel'], undefined);
const encoder = architecture.build(await readConfig(tinyBert), scope);
const runner = new EncoderRunner(encoder, nativeBackend());
afterAll(() => {
  runner.dispose();
  scope.parameters.dispose();
});

/** The vector of each row's last token. */
async function lastTokens(inputs: EncoderInputs): Promise<number[]> {
  const batch = packInputs(encoder, inputs, false);
  const { vectors } = await runner.run(
    batch,
    'last',
    ({ lastHiddenState }, { offsets, count }) => ({
      vectors: pool(lastHiddenState.tensor, offsets, count, 'last'),
    }),
  );
  return Array.from(vectors.data);
}

describe('pooling of last tokens', () => {
  const rows = [
    [5, 6, 7, 8, 9],
    [40, 41],
  ];

  it.each(['left', 'right'])('takes the last that is not padding, on the %s', async (side) => {
    const on = <T>(row: readonly T[], fill: T): T[] => {
      const padding = new Array<T>(5 - row.length).fill(fill);
      return side === 'left' ? [...padding, ...row] : [...row, ...padding];
    };
    const padded = await lastTokens({
      inputIds: rows.map((row) => on(row, 0)),
      attentionMask: rows.map((row) =>
        on(
          row.map(() => 1),
          0,
        ),
      ),
      positionIds: rows.map((row) =>
        on(
          row.map((_, i) => i),
          0,
        ),
      ),
    });
    expect(padded).toEqual(await lastTokens({ inputIds: rows }));
  });
});

describe('blindRows', () => {
  const columns = Int32Array.of(0, 1, 2, 3, 0, 1);
  const keyColumns = Int32Array.of(unseen, unseen + 1, unseen + 2, 3, 0, 1);
  const offsets = Int32Array.of(0, 4, 6);

  it.each([
    [-1, [0, 0, 0, 2, 2, 2]],
    [0, [0, 0, 0, 2, 2, 2]],
    [1, [0, 0, 2, 2, 2, 2]],
    [3, [2, 2, 2, 2, 2, 2]],
  ])('finds padding that sees no token within %d positions', (reach, expected) => {
    const rows = blindRows(reach, columns, keyColumns, offsets);
    expect(Array.from(rows.sequences)).toEqual(expected);
    expect(Array.from(rows.offsets)).toEqual([0, 4, 6, 6]);
  });
});
