import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { NdArray } from '../../lib/graph/run.js';
import type { EncoderInputs } from '../../lib/models/encoder_inputs.js';
import { load } from '../../lib/tasks/load.js';
import { readTensors } from '../../scripts/conformance/models.mjs';
import { nativeBackend } from '../native.js';
import { firstDifference } from '../reference.js';
import { shardedBert, tinyBert } from '../tasks/tiny_model.js';

const { addon } = nativeBackend();
const model = await load(tinyBert); // two layers, 32 wide, 4 heads, 48 positions
afterAll(() => {
  model.dispose();
  addon.setThreads(2);
});

const everything = [
  'logits',
  'lastHiddenState',
  'hiddenStates.0',
  'hiddenStates.1',
  'hiddenStates.2',
  'attentions.0',
  'attentions.1',
];
const sentence = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, i) => (7 + seed * 31 + i * i * 13) % 200);

const bytes = ({ data }: NdArray): Buffer =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** Rows `columns` of one sequence in [batch, length, width]. */
function rowsOf({ data, shape }: NdArray, sequence: number, columns: number[]): number[] {
  const [, length, width] = shape;
  return columns.flatMap((column) => {
    const at = (sequence * length + column) * width;
    return Array.from(data.subarray(at, at + width));
  });
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('forward', () => {
  it('gives every output in its shape', async () => {
    const inputIds = [sentence(5, 1), sentence(9, 2)];
    const outputs = await model.forward({ inputIds }, { outputs: everything });
    expect(Object.keys(outputs)).toEqual(everything);
    for (const name of everything) {
      const shape = name.startsWith('attentions')
        ? [2, 4, 9, 9]
        : [2, 9, name === 'logits' ? 256 : 32];
      expect([name, outputs[name].shape]).toEqual([name, shape]);
      expect(outputs[name].data).toHaveLength(shape.reduce((a, b) => a * b, 1));
    }
    expect(bytes(outputs['hiddenStates.2']).equals(bytes(outputs.lastHiddenState))).toBe(true);
  });

  it('gives logits where there is a head, one row for a sequence', async () => {
    using classifier = await load(shardedBert);
    const outputs = await classifier.forward({ inputIds: [sentence(5, 1), sentence(9, 2)] });
    expect(Object.keys(outputs)).toEqual(['logits']);
    expect(outputs.logits.shape).toEqual([2, 3]);
  });

  it('puts attention where softmax(q·kᵀ/√d) does, computed here in float64', async () => {
    const weights = readTensors(await readFile(join(tinyBert, 'model.safetensors')));
    const lengths = [6, 3];
    const outputs = await model.forward(
      { inputIds: lengths.map(sentence) },
      { outputs: ['hiddenStates.1', 'attentions.1'] },
    );
    const hidden = outputs['hiddenStates.1'];
    const tensorOf = (name: string): Float32Array => weights.get(name)?.data as Float32Array;
    const project = (name: string, x: number[]): number[] => {
      const path = `bert.encoder.layer.1.attention.self.${name}`;
      const weight = tensorOf(`${path}.weight`);
      const bias = tensorOf(`${path}.bias`);
      return upTo(32).map((row) =>
        x.reduce((sum, value, i) => sum + value * weight[row * 32 + i], bias[row]),
      );
    };
    const expected = new Float64Array(2 * 4 * 6 * 6);
    lengths.forEach((length, sequence) => {
      const rows = upTo(length).map((column) => rowsOf(hidden, sequence, [column]));
      const queries = rows.map((row) => project('query', row));
      const keys = rows.map((row) => project('key', row));
      for (const head of upTo(4)) {
        for (const query of upTo(length)) {
          const scores = keys.map((key) =>
            upTo(8).reduce((s, i) => s + queries[query][head * 8 + i] * key[head * 8 + i], 0),
          );
          const powers = scores.map((score) => Math.exp(score / Math.sqrt(8)));
          const sum = powers.reduce((a, b) => a + b, 0);
          const at = ((sequence * 4 + head) * 6 + query) * 6;
          powers.forEach((power, key) => {
            expected[at + key] = power / sum;
          });
        }
      }
    });
    const { data } = outputs['attentions.1'];
    expect(firstDifference(data, expected, 2e-6, 1e-5)).toBeUndefined();
    for (const query of upTo(6)) {
      const row = data.subarray(query * 6, query * 6 + 6);
      expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 6);
    }
  });

  it('gives equal tokens equal results on whichever side the padding is, and zeros for padding', async () => {
    const row = sentence(6, 3);
    const padding = [0, 0, 0];
    const positions = upTo(6);
    const run = (before: number[], after: number[]): Promise<Record<string, NdArray>> =>
      model.forward(
        {
          inputIds: [[...before, ...row, ...after]],
          attentionMask: [[...before.map(() => 0), ...row.map(() => 1), ...after.map(() => 0)]],
          positionIds: [[...before, ...positions, ...after]],
        },
        { outputs: ['lastHiddenState', 'attentions.0'] },
      );
    const [left, right, none] = await Promise.all([
      run(padding, []),
      run([], padding),
      run([], []),
    ]);
    const wanted = rowsOf(none.lastHiddenState, 0, positions);
    expect(rowsOf(right.lastHiddenState, 0, positions)).toEqual(wanted);
    expect(
      rowsOf(
        left.lastHiddenState,
        0,
        positions.map((column) => column + 3),
      ),
    ).toEqual(wanted);
    expect(rowsOf(left.lastHiddenState, 0, [0, 1, 2]).every((value) => value === 0)).toBe(true);
    expect(rowsOf(right.lastHiddenState, 0, [6, 7, 8]).every((value) => value === 0)).toBe(true);
    const toPadding = left['attentions.0'].data.filter((_, i) => i % 9 < 3);
    expect(toPadding.every((weight) => weight === 0)).toBe(true);
  });

  it('gives a row the same bits alone and among others, with one thread and with two', async () => {
    const lengths = [1, 2, 7, 17, 33, 48, 5];
    const rows = lengths.map(sentence);
    const outputs = ['lastHiddenState', 'logits'];
    addon.setThreads(2);
    const together = await model.forward({ inputIds: rows }, { outputs });
    addon.setThreads(1);
    const byOne = await model.forward({ inputIds: rows }, { outputs });
    for (const name of outputs) expect(bytes(byOne[name]).equals(bytes(together[name]))).toBe(true);
    for (const [i, row] of rows.entries()) {
      addon.setThreads(1 + (i % 2));
      const alone = await model.forward({ inputIds: [row] }, { outputs });
      for (const name of outputs) {
        const columns = upTo(row.length);
        expect(rowsOf(together[name], i, columns)).toEqual(rowsOf(alone[name], 0, columns));
      }
    }
  });

  it('is one native call, whatever is asked for', async () => {
    for (const outputs of [['logits'], ['lastHiddenState'], everything]) {
      await model.forward({ inputIds: [sentence(8, 1)] }, { outputs }); // compiles
      const { runs } = addon.counters();
      await model.forward({ inputIds: [sentence(8, 1), sentence(3, 2)] }, { outputs });
      expect(addon.counters().runs).toBe(runs + 1);
    }
  });

  it('uses one plan for many sizes, and keeps no more than sixteen', async () => {
    using fresh = await load(tinyBert);
    const { plans } = addon.counters();
    const run = (inputIds: number[][]): Promise<unknown> => fresh.forward({ inputIds });
    for (let length = 1; length <= 32; length++) await run([sentence(length, length)]);
    expect(addon.counters().plans).toBe(plans + 1);
    for (let count = 1; count <= 40; count += 3) {
      for (const length of [2, 9, 20, 48])
        await run(upTo(count).map(() => sentence(length, count)));
    }
    expect(addon.counters().plans).toBeGreaterThan(plans + 4);
    await expect.poll(() => addon.counters().plans).toBeLessThanOrEqual(plans + 16);
  });

  it('runs calls that overlap', async () => {
    const batches = upTo(24).map((i): EncoderInputs => ({ inputIds: [sentence(1 + i * 2, i)] }));
    const apart: NdArray[] = [];
    for (const batch of batches) apart.push((await model.forward(batch)).logits);
    const overlapping = await Promise.all(batches.map((batch) => model.forward(batch)));
    overlapping.forEach(({ logits }, i) => {
      expect(bytes(logits).equals(bytes(apart[i]))).toBe(true);
    });
  });

  it('leaves the inputs alone, and gives memory that is the caller’s', async () => {
    const inputs = { inputIds: [[1, 2, 3]], attentionMask: [[1, 1, 0]] };
    const copy = structuredClone(inputs);
    const first = (await model.forward(inputs)).logits;
    const kept = Float32Array.from(first.data);
    const second = (await model.forward({ inputIds: [[9, 8, 7]] })).logits;
    expect(inputs).toEqual(copy);
    expect(first.data).toEqual(kept);
    expect(second.data).not.toEqual(kept);
  });

  it('rejects with the reason of a signal, aborted before or meanwhile', async () => {
    const reason = { code: 'changed my mind' };
    const inputs = { inputIds: [sentence(40, 1)] };
    const before = model.forward(inputs, { signal: AbortSignal.abort(reason) });
    await expect(before).rejects.toBe(reason);
    const controller = new AbortController();
    const meanwhile = model.forward(inputs, { signal: controller.signal });
    controller.abort(reason);
    await expect(meanwhile).rejects.toBe(reason);
    expect((await model.forward(inputs)).logits.shape).toEqual([1, 40, 256]);
  });
});

describe('dispose', () => {
  const inputs = { inputIds: [sentence(9, 1)] };

  it('can be called twice; calls after it are refused', async () => {
    const other = await load(tinyBert);
    other.dispose();
    other.dispose();
    await expect(other.forward(inputs)).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
    await expect(other.embed('a')).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });

  it('lets calls end that are running, and then gives everything back', async () => {
    const before = addon.counters();
    const other = await load(shardedBert);
    const calls = upTo(6).map((i) => other.forward({ inputIds: [sentence(5 + 7 * i, i)] }));
    other.dispose();
    for (const { logits } of await Promise.all(calls)) expect(logits.shape).toEqual([1, 3]);
    await expect.poll(() => addon.counters().stateBytes).toBe(before.stateBytes);
    await expect.poll(() => addon.counters().plans).toBe(before.plans);
  });

  it('happens at the end of a block with using', async () => {
    const before = addon.counters();
    {
      using other = await load(shardedBert);
      await other.forward(inputs);
      expect(addon.counters().stateBytes).toBeGreaterThan(before.stateBytes);
    }
    await expect.poll(() => addon.counters().stateBytes).toBe(before.stateBytes);
  });
});
