import { describe, expect, it } from 'vitest';
import { compile } from '../../lib/graph/run.js';
import { tensor } from '../../lib/graph/tensor.js';
import { MultiHeadAttention } from '../../lib/layers/attention.js';
import { Scope } from '../../lib/layers/scope.js';
import { dropoutFeeds, hasDropout, trainMode } from '../../lib/layers/train_mode.js';
import { attention } from '../../lib/ops/index.js';
import { nativeBackend } from '../native.js';
import { ints } from '../ops/op_case.js';

describe('dropout of the weights of attention', () => {
  const [length, heads, rate] = [70, 3, 0.3];
  const values = new Float32Array(length * heads * length);
  for (let key = 0; key < length; key++) {
    for (let head = 0; head < heads; head++) values[(key * heads + head) * length + key] = 1;
  }

  /** Each row's weights, all alike before dropout: values of key j are the j-th unit vector. */
  async function weights(seed: number, step: number, site: number): Promise<Float32Array> {
    const q = tensor(new Float32Array(length * heads), [length, heads]);
    const result = attention(q, q, tensor(values, [length, heads * length]), {
      heads,
      segments: ints([0, length]),
      dropout: { rate, site, seed: ints([seed]), step: ints([step]) },
    });
    const graph = await compile({ result }, new Map(), { backend: nativeBackend() });
    const { data } = (await graph.run({})).result;
    graph.dispose();
    return data;
  }

  it('leaves a share of them out and scales the others up', async () => {
    const found = await weights(1, 2, 3);
    const kept = found.filter((weight) => weight !== 0);
    const share = kept.length / found.length;
    // Five deviations of as many throws of a coin.
    const deviation = Math.sqrt((rate * (1 - rate)) / found.length);
    expect(Math.abs(share - (1 - rate))).toBeLessThan(5 * deviation);
    for (const weight of kept) expect(weight).toBeCloseTo(1 / (length * (1 - rate)), 6);
  });

  it('is another for each seed, step, site, row and head', async () => {
    const found = await weights(1, 2, 3);
    const isKept = (all: Float32Array) => Array.from(all, (weight) => Number(weight !== 0));
    const row = (head: number, at: number) =>
      isKept(found.subarray((at * heads + head) * length, (at * heads + head + 1) * length));
    expect(row(0, 0)).not.toEqual(row(1, 0));
    expect(row(0, 0)).not.toEqual(row(0, 1));
    const kept = isKept(found);
    expect(isKept(await weights(1, 2, 3))).toEqual(kept);
    for (const other of [
      [2, 2, 3],
      [1, 3, 3],
      [1, 2, 4],
    ] as const) {
      const [seed, step, site] = other;
      const agree = isKept(await weights(seed, step, site)).filter((bit, i) => bit === kept[i]);
      const expected = rate ** 2 + (1 - rate) ** 2;
      expect(Math.abs(agree.length / found.length - expected)).toBeLessThan(0.03);
    }
  });

  it('is recorded in trainMode alone, at the rate given or the own', async () => {
    const scope = Scope.random(0);
    const layer = new MultiHeadAttention({ dModel: 4, numHeads: 2, dropout: 0.1, scope });
    const x = tensor(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), [2, 4]);
    const sequences = { rows: 2, count: 1, offsets: ints([0, 2]), positions: ints([0, 1]) };
    const record = () => layer.forward(x, sequences);
    expect(hasDropout(record())).toBe(false);
    expect(hasDropout(trainMode(record))).toBe(true);
    expect(hasDropout(trainMode(record, { dropout: { residual: 0.5 } }))).toBe(false);
    const dropped = trainMode(record, { dropout: { attention: 0.9 } });
    const graph = await compile({ dropped }, new Map(), { backend: nativeBackend() });
    const [first, again, later] = [
      (await graph.run(dropoutFeeds(1, 1))).dropped.data,
      (await graph.run(dropoutFeeds(1, 1))).dropped.data,
      (await graph.run(dropoutFeeds(1, 4))).dropped.data,
    ];
    graph.dispose();
    expect(again).toEqual(first);
    expect(later).not.toEqual(first);
  });
});
