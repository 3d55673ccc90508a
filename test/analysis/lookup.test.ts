import { describe, expect, it } from 'vitest';
import { lookup } from '../../lib/analysis/lookup.js';
import { nativeBackend } from '../native.js';
import { firstDifference } from '../reference.js';
import { normals } from './random.js';

nativeBackend(); // what follows is about the engine's attention

const keys = [
  [2, 0],
  [0, 1],
  [-1, -1],
];
const values = [
  [10, 1],
  [20, 2],
  [60, 3],
];

describe('lookup', () => {
  it('is softmax(t·QKᵀ)·V', async () => {
    const queries = [
      [1, 0.5],
      [-2, 1],
    ];
    const t = 0.7;
    const expected = queries.flatMap((query) => {
      const weights = keys.map((key) => Math.exp(t * (query[0] * key[0] + query[1] * key[1])));
      const sum = weights.reduce((a, b) => a + b);
      return [0, 1].map((i) => weights.reduce((s, w, j) => s + (w / sum) * values[j][i], 0));
    });
    const { data, shape } = await lookup(queries, keys, values, { t });
    expect(shape).toEqual([2, 2]);
    expect(firstDifference(data, expected, 1e-5, 1e-6)).toBeUndefined();
  });

  it('gives the mean of all values at t = 0', async () => {
    const { data } = await lookup([[3, -1]], keys, values, { t: 0 });
    expect(firstDifference(data, [30, 2], 1e-5, 0)).toBeUndefined();
  });

  it('gives the value of the best key at t = Infinity, and shares among equal ones', async () => {
    const exact = (query: number[]) => lookup([query], keys, values, { t: Infinity });
    expect([...(await exact([1, 0])).data]).toEqual([10, 1]);
    expect([...(await exact([0, 3])).data]).toEqual([20, 2]);
    expect([...(await exact([1, 2])).data]).toEqual([15, 1.5]); // keys 0 and 1 score 2
    expect([...(await exact([0, 0])).data]).toEqual([30, 2]); // all score 0
  });

  it('takes products that differ by rounding alone for equal', async () => {
    const order = [0.1, 0.7, -0.3, 1e-3, 0.2, 1 / 3, 5.5, -2.1];
    const twins = [order, [...order].reverse()]; // the same terms, summed in another order
    const { data } = await lookup([new Array(8).fill(1)], twins, [[0], [1]], { t: Infinity });
    expect([...data]).toEqual([0.5]);
  });

  it('comes to the exact lookup as t grows, no slower than e^(−t·gap)', async () => {
    const random = normals(7);
    const q = random(40, 6);
    const k = random(25, 6);
    const v = random(25, 3);
    k[4] = k[9] = k[17]; // the three share
    q[0] = k[17].map((x) => 10 * x);
    const exact = (await lookup(q, k, v, { t: Infinity })).data;
    const longest = Math.max(...v.map((row) => Math.hypot(...row)));
    for (const t of [1, 4, 16, 64, 256]) {
      const soft = (await lookup(q, k, v, { t })).data;
      q.forEach((query, row) => {
        const scores = k.map((key) => key.reduce((sum, x, i) => sum + x * query[i], 0));
        const best = Math.max(...scores);
        const others = scores.filter((score) => score < best - 1e-6);
        const gap = best - Math.max(...others);
        const share = (others.length / (25 - others.length)) * Math.exp(-t * gap);
        const distance = Math.hypot(
          ...[0, 1, 2].map((i) => soft[3 * row + i] - exact[3 * row + i]),
        );
        expect(distance).toBeLessThanOrEqual(2 * longest * share + 1e-4);
      });
    }
    const cold = (await lookup(q, k, v, { t: 1e5 })).data;
    expect(firstDifference(cold, exact, 1e-4, 1e-4)).toBeUndefined();
  });

  it('takes NdArrays as it gives them', async () => {
    const queries = { data: Float32Array.of(1, 0), shape: [1, 2] };
    const once = await lookup(queries, keys, values, { t: Infinity });
    expect(once).toEqual({ data: Float32Array.of(10, 1), shape: [1, 2] });
    expect((await lookup(once, values, values, { t: Infinity })).shape).toEqual([1, 2]);
  });

  const wrong: [string, () => Promise<unknown>, string][] = [
    ['t below 0', () => lookup([[1, 1]], keys, values, { t: -1 }), 'ERR_ARGUMENT'],
    ['t that is NaN', () => lookup([[1, 1]], keys, values, { t: Number.NaN }), 'ERR_ARGUMENT'],
    ['t beyond float32', () => lookup([[1, 1]], keys, values, { t: 1e39 }), 'ERR_ARGUMENT'],
    ['scores beyond float32', () => lookup([[1e30, 1]], keys, values, { t: 1e30 }), 'ERR_INPUT'],
    [
      'products beyond float32',
      () => lookup([[1e30, 0]], [[1e30, 0]], [[1]], { t: 1e-30 }),
      'ERR_INPUT',
    ],
    ['values beyond float32', () => lookup([[1, 1]], keys, [[3e38], [3e38], [3e38]]), 'ERR_INPUT'],
    ['an unknown option', () => lookup([[1, 1]], keys, values, { T: 1 } as never), 'ERR_ARGUMENT'],
    [
      'a signal that is none',
      () => lookup([[1, 1]], keys, values, { signal: 1 as never }),
      'ERR_ARGUMENT',
    ],
    ['no queries', () => lookup([], keys, values), 'ERR_SHAPE'],
    ['no keys', () => lookup([[1, 1]], [], []), 'ERR_SHAPE'],
    ['rows without numbers', () => lookup([[]], [[]], [[1]]), 'ERR_SHAPE'],
    ['ragged rows', () => lookup([[1, 1], [1]], keys, values), 'ERR_SHAPE'],
    ['widths that differ', () => lookup([[1, 1, 1]], keys, values), 'ERR_SHAPE'],
    ['a value too many', () => lookup([[1, 1]], keys, [...values, [0, 0]]), 'ERR_SHAPE'],
    ['NaN', () => lookup([[1, Number.NaN]], keys, values), 'ERR_INPUT'],
    ['a number beyond float32', () => lookup([[1, 1e300]], keys, values), 'ERR_INPUT'],
    ['a word', () => lookup([[1, 'a']] as never, keys, values), 'ERR_INPUT'],
    ['no rows', () => lookup([1, 2] as never, keys, values), 'ERR_ARGUMENT'],
    ['nothing', () => lookup(undefined as never, keys, values), 'ERR_ARGUMENT'],
    [
      'a shape that does not fit',
      () => lookup({ data: Float32Array.of(1), shape: [1, 2] }, keys, values),
      'ERR_SHAPE',
    ],
  ];
  it.each(wrong)('refuses %s', async (_, call, code) => {
    await expect(call()).rejects.toMatchObject({ name: 'HeddleError', code });
  });

  it('ends with the reason of an abort', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(lookup([[1, 1]], keys, values, { signal })).rejects.toThrow('enough');
    const exact = lookup([[1, 1]], keys, values, { t: Infinity, signal });
    await expect(exact).rejects.toThrow('enough');
  });
});
