import { describe, expect, it } from 'vitest';
import type { Backend } from '../../lib/graph/backend.js';
import { ReferenceBackend } from '../../lib/graph/reference_backend.js';
import { compile } from '../../lib/graph/run.js';
import { SymbolicDim } from '../../lib/graph/shape.js';
import { State } from '../../lib/graph/state.js';
import { input, stateTensor, tensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';
import { nativeBackend } from '../native.js';

const backends: [string, () => Backend][] = [
  ['native', nativeBackend],
  ['reference', () => new ReferenceBackend()],
];
const [heads, size] = [2, 3];

describe.each(backends)('pages on the %s backend', (_, makeBackend) => {
  const backend = makeBackend();

  it.each([
    ['keys', 'float32', 0],
    ['values', 'float32', 0],
    ['keys', 'bfloat16', 1 / 256],
    ['values', 'int8', 1 / 127],
    ['keys', 'int8', 1 / 127],
  ] as const)('keep %s as %s, and copies of them', async (kind, dtype, error) => {
    const rows = new SymbolicDim('rows');
    const state = new State(kind, [4 * heads * 64, size], dtype, { kind: 'zeros' });
    const source = input('source', [rows, heads * size], 'float32');
    const slots = input('slots', [rows], 'int32');
    const sizes = new Map([[rows, 3]]);
    const write = ops.appendPages(stateTensor(state), source, slots, { heads, kind });
    const appending = await compile({}, new Map([[rows, 8]]), { effects: [write], backend });
    const places = Int32Array.of(3, 64 * 2 + 63, 64);
    const values = Float32Array.from({ length: 18 }, (_, i) => Math.sin(i + 1));
    await appending.run({ source: values, slots: places }, sizes);
    const copied = ops.copyPages(
      stateTensor(state),
      tensor(Int32Array.of(2)),
      tensor(Int32Array.of(3)),
      { heads },
    );
    const copying = await compile({}, new Map(), { effects: [copied], backend });
    await copying.run({});
    const all = ops.readPages(stateTensor(state), slots, { heads, kind });
    const reading = await compile({ all }, new Map([[rows, 8]]), { backend });
    const read = async (at: Int32Array): Promise<number[]> => [
      ...(await reading.run({ slots: at }, sizes)).all.data,
    ];
    (await read(places)).forEach((value, i) => {
      expect(Math.abs(value - values[i])).toBeLessThanOrEqual(error);
    });
    expect((await read(Int32Array.of(64 * 3 + 63, 0, 1))).slice(0, 6)).toEqual(
      (await read(places)).slice(6, 12),
    );
    await expect(read(Int32Array.of(0, 1, 64 * 4))).rejects.toMatchObject({ code: 'ERR_INPUT' });
    for (const graph of [appending, copying, reading]) graph.dispose();
    state.dispose();
  });
});

describe('pages refuse', () => {
  const cache = (dtype: 'float32' | 'float16', rows = heads * 64) =>
    stateTensor(new State('cache', [rows, size], dtype, { kind: 'zeros' }));
  const rows = tensor(new Float32Array(heads * size), [1, heads * size]);
  const slot = tensor(Int32Array.of(0));

  it('what is no cache', () => {
    const options = { heads, kind: 'keys' as const };
    const wrong: [() => unknown, RegExp][] = [
      [() => ops.appendPages(cache('float16'), rows, slot, options), /bfloat16, int8.*float16/],
      [() => ops.appendPages(cache('float32', 65), rows, slot, options), /whole number of pages/],
      [() => ops.appendPages(rows, rows, slot, options), /a state to write to/],
      [() => ops.appendPages(cache('float32'), tensor([[1]]), slot, options), /6 columns.*1/],
    ];
    for (const [make, message] of wrong) expect(make).toThrow(message);
  });
});
