import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../lib/checkpoints/checkpoint.js';
import { CheckpointSource } from '../../lib/checkpoints/parameter_source.js';
import { Parameters } from '../../lib/graph/parameters.js';
import { compile, run } from '../../lib/graph/run.js';
import * as nn from '../../lib/layers/index.js';
import { readTensors } from '../../scripts/conformance/models.mjs';
import { nativeBackend } from '../native.js';
import { firstDifference, reference } from '../reference.js';

const folder = new URL('../fixtures/transformer', import.meta.url).pathname;

describe.each(['post_norm', 'pre_norm'])('nn.Transformer, %s', async (variant) => {
  const { options, dropout, sources, targets, tolerance } = JSON.parse(
    readFileSync(`${folder}/${variant}.json`, 'utf8'),
  );
  const file = `${folder}/${variant}.safetensors`;
  const { tensors } = await openCheckpoint(file);
  const scope = new nn.Scope(
    new Parameters(new CheckpointSource(tensors, { prefix: '', where: file })),
  );
  const transformer = new nn.Transformer({ ...options, scope });
  const logits = transformer.forward(nn.pack(sources), nn.pack(targets));
  const golden = readTensors(readFileSync(file)).get('logits');
  const dropped = readTensors(readFileSync(file)).get('dropped');

  it('agrees with torch.nn.Transformer natively', async () => {
    const graph = await compile({ logits }, new Map(), { backend: nativeBackend() });
    const result = (await graph.run({})).logits;
    expect(result.shape).toEqual(golden?.shape);
    expect(firstDifference(result.data, golden?.data ?? [], tolerance, 1e-4)).toBeUndefined();
  });

  it('agrees with torch.nn.Transformer in float64', async () => {
    const result = await reference({ logits });
    expect(firstDifference(result.logits, golden?.data ?? [], 2e-6, 2e-6)).toBeUndefined();
  });

  it('drops what torch.nn.Transformer drops outside of attention while it is trained', async () => {
    const { rate } = dropout;
    const training = nn.trainMode(
      () => transformer.forward(nn.pack([sources[1]]), nn.pack([targets[1]])),
      { dropout: { embedding: rate, residual: rate, activation: rate } },
    );
    const feeds = nn.dropoutFeeds(dropout.seed, dropout.step);
    const graph = await compile({ training }, new Map(), { backend: nativeBackend() });
    const result = (await graph.run(feeds)).training;
    expect(firstDifference(result.data, dropped?.data ?? [], tolerance, 1e-4)).toBeUndefined();
    const exact = await reference({ training }, feeds);
    expect(firstDifference(exact.training, dropped?.data ?? [], 2e-6, 2e-6)).toBeUndefined();
  });
});

describe('fresh parameters', () => {
  const logitsOf = async (seed: number): Promise<Float32Array> => {
    using model = new nn.Transformer({
      vocabSize: 11,
      dModel: 8,
      numHeads: 2,
      dFeedForward: 16,
      seed,
    });
    return (await run(model.forward(nn.pack([[1, 2, 3]]), nn.pack([[4, 5]])))).data;
  };

  it('are the same for the same seed, and others for another', async () => {
    const [first, again, other] = [await logitsOf(1), await logitsOf(1), await logitsOf(2)];
    expect(first).toEqual(again);
    expect(first).not.toEqual(other);
    expect(first.every(Number.isFinite)).toBe(true);
  });

  it('are spread as their initialisation says', () => {
    const { weight } = new nn.Linear(100, 200, { scope: nn.Scope.random(3) });
    const { source } = weight.source.kind === 'state' ? weight.source.state : { source: undefined };
    const data = source?.kind === 'data' ? [...source.data] : [];
    const mean = data.reduce((a, b) => a + b, 0) / data.length;
    const variance = data.reduce((a, b) => a + (b - mean) ** 2, 0) / data.length;
    expect(Math.max(...data)).toBeLessThanOrEqual(0.1);
    expect(Math.min(...data)).toBeGreaterThanOrEqual(-0.1);
    expect(Math.abs(mean)).toBeLessThan(0.002);
    expect(Math.abs(variance - 0.01 / 3)).toBeLessThan(1e-4); // of a uniform distribution: bound² / 3
  });

  it('refuse heads that do not divide the width', () => {
    expect(() => new nn.Transformer({ vocabSize: 5, dModel: 10, numHeads: 3 })).toThrow(
      expect.objectContaining({ code: 'ERR_SHAPE' }),
    );
  });
});
