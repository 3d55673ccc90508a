import { describe, expect, it } from 'vitest';
import { Parameters } from '../../lib/graph/parameters.js';
import { compile } from '../../lib/graph/run.js';
import { State } from '../../lib/graph/state.js';
import { type Tensor, tensor } from '../../lib/graph/tensor.js';
import { Linear } from '../../lib/layers/linear.js';
import { Scope } from '../../lib/layers/scope.js';
import { dropoutFeeds, hasDropout, trainMode } from '../../lib/layers/train_mode.js';
import { nativeBackend } from '../native.js';

describe('dropout of what an adapter reads', () => {
  const [rows, width, rate] = [40, 50, 0.25];
  const ones = (shape: readonly number[]): Float32Array =>
    new Float32Array(shape.reduce((size, dim) => size * dim, 1)).fill(1);
  const x = tensor(ones([rows, width]), [rows, width]);

  /** Layers whose weights are 0, under an adapter whose matrices are of ones: a result is the sum of what A read. */
  function scopeOf(dropout: number): Scope {
    const source = {
      has: () => true,
      create(name: string, shape: readonly number[]) {
        const data = name.includes('lora') ? ones(shape) : ones(shape).fill(0);
        return new State(name, shape, 'float32', { kind: 'data', data });
      },
    };
    const adapter = { rankOf: () => 1, scaleOf: () => 1, dropout };
    return new Scope(new Parameters(source), 'layer', 'float32', [adapter]);
  }

  async function valuesOf(results: Record<string, Tensor>, step = 1) {
    const graph = await compile(results, new Map(), { backend: nativeBackend() });
    const feeds = Object.values(results).some(hasDropout) ? dropoutFeeds(5, step) : {};
    const found = await graph.run(feeds);
    graph.dispose();
    return Object.fromEntries(Object.entries(found).map(([name, { data }]) => [name, data]));
  }

  it('is of that alone, at its own rate, while the model is trained', async () => {
    const layer = new Linear(width, 1, { bias: false, scope: scopeOf(rate) });
    const { plain } = await valuesOf({ plain: layer.forward(x) });
    expect(plain).toEqual(new Float32Array(rows).fill(width));
    const record = () => trainMode(() => layer.forward(x), { dropout: 0 });
    const { dropped = [] } = await valuesOf({ dropped: record() });
    const kept = Array.from(dropped, (sum) => sum * (1 - rate));
    for (const count of kept) expect(count).toBeCloseTo(Math.round(count), 4);
    const share = kept.reduce((sum, count) => sum + count) / (rows * width);
    // Five deviations of as many throws of a coin.
    const deviation = Math.sqrt((rate * (1 - rate)) / (rows * width));
    expect(Math.abs(share - (1 - rate))).toBeLessThan(5 * deviation);
    expect((await valuesOf({ dropped: record() })).dropped).toEqual(dropped);
    expect((await valuesOf({ dropped: record() }, 2)).dropped).not.toEqual(dropped);
    const without = new Linear(width, 1, { bias: false, scope: scopeOf(0) });
    expect(hasDropout(trainMode(() => without.forward(x)))).toBe(false);
  });

  it('is one for parts of one projection, and another for each call and layer', async () => {
    const scope = scopeOf(rate);
    const part = (first: number) =>
      new Linear(width, 1, { bias: false, scope, part: { first, of: 2 } });
    const [query, key] = [part(0), part(1)];
    const other = new Linear(width, 1, { bias: false, scope: scope.at('other') });
    const again = tensor(ones([rows, width]), [rows, width]);
    const { q, ...rest } = await valuesOf(
      trainMode(() => ({
        q: query.forward(x),
        k: key.forward(x),
        later: query.forward(again),
        other: other.forward(x),
      })),
    );
    expect(rest.k).toEqual(q);
    expect(rest.later).not.toEqual(q);
    expect(rest.other).not.toEqual(q);
  });
});
