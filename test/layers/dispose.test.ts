import { describe, expect, it } from 'vitest';
import { run } from '../../lib/graph/run.js';
import { type Tensor, tensor } from '../../lib/graph/tensor.js';
import * as nn from '../../lib/layers/index.js';
import { nativeBackend } from '../native.js';

const { addon } = nativeBackend();
const alive = (): { states: number; stateBytes: number } => {
  const { states, stateBytes } = addon.counters();
  return { states, stateBytes };
};
const ids = nn.pack([[1, 2, 3]]);
const x = tensor(new Float32Array(3 * 8).fill(0.5), [3, 8]);
const sizes = { dModel: 8, numHeads: 2, dFeedForward: 16 };

type Made = { layer: nn.Layer; result: Tensor };
const made = <L extends nn.Layer>(layer: L, forward: (layer: L) => Tensor): Made => ({
  layer,
  result: forward(layer),
});

const table: [name: string, make: () => Made][] = [
  [
    'Transformer',
    () => made(new nn.Transformer({ vocabSize: 11, ...sizes }), (l) => l.forward(ids, ids)),
  ],
  ['SinusoidalPositions', () => made(new nn.SinusoidalPositions(5, 8), (l) => l.forward(ids.ids))],
  ['LearnedPositions', () => made(new nn.LearnedPositions(5, 8), (l) => l.forward(ids.ids))],
  ['Embedding', () => made(new nn.Embedding(5, 8), (l) => l.forward(ids.ids))],
  ['Linear', () => made(new nn.Linear(8, 4), (l) => l.forward(x))],
  ['LayerNorm', () => made(new nn.LayerNorm(8), (l) => l.forward(x))],
  ['RmsNorm', () => made(new nn.RmsNorm(8), (l) => l.forward(x))],
  [
    'FeedForward',
    () => made(new nn.FeedForward({ dModel: 8, dFeedForward: 4 }), (l) => l.forward(x)),
  ],
  ['EncoderLayer', () => made(new nn.EncoderLayer(sizes), (l) => l.forward(x, ids))],
  [
    'DecoderLayer',
    () => made(new nn.DecoderLayer(sizes), (l) => l.forward(x, ids, { hidden: x, sequences: ids })),
  ],
];

describe('dispose', () => {
  it.each(table)('of %s gives all native memory back', async (_, make) => {
    const before = alive();
    const { layer, result } = make();
    await run(result);
    expect(alive().states).toBeGreaterThan(before.states);
    layer.dispose();
    expect(alive()).toEqual(before);
    await expect(run(result)).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });

  it('happens at the end of a block that uses a layer', async () => {
    const before = alive();
    {
      using linear = new nn.Linear(8, 4);
      await run(linear.forward(x));
    }
    expect(alive()).toEqual(before);
  });

  it('counts no buffer as a parameter', () => {
    const positions = new nn.SinusoidalPositions(5, 8);
    expect(positions.scope.parameters.count).toBe(0);
    expect([...positions.scope.parameters]).toEqual([]);
  });
});
