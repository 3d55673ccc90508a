import { describe, expect, it } from 'vitest';
import { gradient } from '../../lib/graph/gradient.js';
import { trace } from '../../lib/graph/program.js';
import { compile } from '../../lib/graph/run.js';
import type { Tensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';
import { nativeBackend } from '../native.js';
import { firstDifference } from '../reference.js';
import { ints, Random } from './op_case.js';

const classes = 9001;
const random = new Random(1);
const weight = random.state([classes, 5]);
const bias = random.tensor([classes]);
const x = random.tensor([6, 5], 4);
const labels = ints([0, 9000, 4096, 4095, 7, 7]);

/** The loss and its gradients, of logits as `linear` gives them or as something else did. */
function outputs(logitsOf: (logits: Tensor) => Tensor): Record<string, Tensor> {
  const logits = logitsOf(ops.linear(x, weight, bias));
  const loss = ops.columnSums(ops.crossEntropy(logits, labels, { smoothing: 0.1 }));
  const [byInput, byWeight, byBias] = gradient(loss, [x, weight, bias]) as [Tensor, Tensor, Tensor];
  return { loss, byInput, byWeight, byBias };
}

const widestOf = (tensors: Record<string, Tensor>): number =>
  Math.max(...trace(tensors).program.values.map(({ shape }) => shape[1] ?? 0));

describe('the cross-entropy of a projection to many classes', () => {
  it('never holds the logits whole, forward or backward, and is the same', async () => {
    const fused = outputs((logits) => logits);
    const whole = outputs((logits) => ops.scale(logits, 1));
    expect(widestOf(fused)).toBe(4096);
    expect(widestOf(whole)).toBe(classes);
    const results: Record<string, Float32Array>[] = [];
    for (const tensors of [fused, whole]) {
      const graph = await compile(tensors, new Map(), { backend: nativeBackend() });
      const found = await graph.run({});
      results.push(Object.fromEntries(Object.entries(found).map(([k, { data }]) => [k, data])));
      graph.dispose();
    }
    const [found = {}, expected = {}] = results;
    for (const name of Object.keys(fused)) {
      const [a, b] = [found[name] ?? [], expected[name] ?? []];
      expect(firstDifference(a, b, 2e-6, 2e-6), name).toBeUndefined();
    }
  });

  it('multiplies all blocks but the last again', () => {
    const { nodes, values } = trace(outputs((logits) => logits)).program;
    const blocks = nodes.filter(
      ({ op, result }) => op === 'matmul' && (values[result]?.shape[1] ?? 0) > 5,
    );
    expect(blocks).toHaveLength(3 + 2);
  });

  it('says which label is none of the classes', async () => {
    const loss = ops.crossEntropy(ops.linear(x, weight), ints([0, 1, classes, 3, 4, 5]));
    const graph = await compile({ loss }, new Map(), { backend: nativeBackend() });
    await expect(graph.run({})).rejects.toMatchObject({
      code: 'ERR_INPUT',
      message: expect.stringMatching(/labels\[2\].*9001/),
    });
    graph.dispose();
  });
});
