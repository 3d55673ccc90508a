import { describe, expect, it } from 'vitest';
import { gradient } from '../../lib/graph/gradient.js';
import { trace } from '../../lib/graph/program.js';
import { compile } from '../../lib/graph/run.js';
import { State } from '../../lib/graph/state.js';
import { stateTensor, type Tensor } from '../../lib/graph/tensor.js';
import { EncoderLayer } from '../../lib/layers/block.js';
import { Scope } from '../../lib/layers/scope.js';
import { pack } from '../../lib/layers/sequence.js';
import * as ops from '../../lib/ops/index.js';
import { nativeBackend } from '../native.js';
import { ints, Random } from '../ops/op_case.js';

const backend = nativeBackend();
const scope = Scope.random(3);
const sequences = pack([Array(33).fill(0), Array(50).fill(1)]);
const rows = 83;
const width = 24;
const random = new Random(5);
const x = random.tensor([rows, width]);
const [seed, step] = [ints([4]), ints([9])];
const blocks = Array.from(
  { length: 4 },
  (_, i) => new EncoderLayer({ dModel: width, numHeads: 3, dFeedForward: 96, scope: scope.at(i) }),
);

const hidden: Tensor[] = [x];
for (const [site, block] of blocks.entries()) {
  const dropped = ops.dropout(hidden.at(-1) as Tensor, { rate: 0.2, site, seed, step });
  hidden.push(block.forward(dropped, sequences));
}
const labels = ints(Array.from({ length: rows }, () => random.integer(width)));
const loss = ops.columnSums(ops.crossEntropy(hidden.at(-1) as Tensor, labels));
const states = [...scope.parameters];

async function run(checkpoints?: Tensor[]) {
  const gradients = gradient(loss, states.map(stateTensor), { checkpoints });
  const outputs = Object.fromEntries(gradients.map((each, i) => [`by ${i}`, each]));
  const graph = await compile({ loss, ...outputs }, new Map(), { backend });
  const found = await graph.run({});
  const { arenaBytes } = graph.plan;
  graph.dispose();
  return { arenaBytes, found };
}

describe('activation checkpointing', () => {
  it('gives the same bits, dropout included, from less memory', async () => {
    const kept = await run();
    const again = await run(hidden.slice(1));
    expect(again.found).toEqual(kept.found);
    expect(again.arenaBytes).toBeLessThan(0.6 * kept.arenaBytes);
  });

  it('may keep one value only', async () => {
    const [kept, again] = [await run(), await run([hidden[2] as Tensor])];
    expect(again.found).toEqual(kept.found);
    expect(again.arenaBytes).toBeLessThan(kept.arenaBytes);
  });

  it('computes norms again, their parameters being states', () => {
    const gamma = stateTensor(new State('gamma', [width], 'float32', { kind: 'zeros' }));
    const weight = random.tensor([width, 1]);
    for (const normed of [ops.layerNorm(x, gamma, gamma, 1e-5), ops.rmsNorm(x, gamma, 1e-5)]) {
      const [byWeight] = gradient(ops.columnSums(ops.matmul(normed, weight)), [weight]);
      const { nodes } = trace({ normed, byWeight: byWeight as Tensor }).program;
      expect(nodes.filter(({ op }) => op.endsWith('Norm'))).toHaveLength(2);
    }
  });

  it('computes activations again in any case', () => {
    const [first, second] = [random.tensor([width, 96]), random.tensor([96, 1])];
    const active = ops.gelu(ops.matmul(x, first));
    const [bySecond] = gradient(ops.columnSums(ops.matmul(active, second)), [second]);
    const { nodes } = trace({ active, bySecond: bySecond as Tensor }).program;
    expect(nodes.filter((node) => node.op === 'activation')).toHaveLength(2);
  });

  it('keeps activations of a state, which may be written before the way back', async () => {
    const [read, weight] = ['read', 'weight'].map((name) =>
      stateTensor(new State(name, [2, 1], 'float32', { kind: 'zeros' })),
    ) as [Tensor, Tensor];
    const loss = ops.columnSums(ops.multiply(ops.sigmoid(read), weight));
    const effects = [ops.assign(read, random.tensor([2, 1]))];
    const [byWeight] = gradient(loss, [weight]) as [Tensor];
    const graph = await compile({ byWeight }, new Map(), { backend, effects });
    expect((await graph.run({})).byWeight?.data).toEqual(Float32Array.of(0.5, 0.5));
    graph.dispose();
  });

  it('refuses what is no tensor', () => {
    const of = (checkpoints: unknown) => () =>
      gradient(loss, states.map(stateTensor), { checkpoints: checkpoints as Tensor[] });
    expect(of([1])).toThrow(/checkpoints\[0\].*a tensor/);
    expect(of(x)).toThrow(/checkpoints.*an array of tensors/);
  });
});
