import { describe, expect, it } from 'vitest';
import { ReferenceBackend } from '../../lib/graph/reference_backend.js';
import { State } from '../../lib/graph/state.js';
import { input, stateTensor, type Tensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';
import { adam, adamW, lion, type Optimizer, sgd } from '../../lib/train/optimizers.js';
import { TrainingStep } from '../../lib/train/training_step.js';
import { nativeBackend } from '../native.js';

const start = [1, -2, 3, 0.5];
const makeWeight = () =>
  new State('weight', [2, 2], 'float32', { kind: 'data', data: Float32Array.from(start) });
const x = input('x', [3, 2], 'float32');
const labels = input('labels', [3], 'int32');
const feeds = {
  x: Float32Array.of(1, -1, 0.5, 2, -3, 0.25),
  labels: Int32Array.of(0, 1, 1),
};
const lossOf = (weight: State): Tensor =>
  ops.columnSums(ops.crossEntropy(ops.linear(x, stateTensor(weight)), labels));

/** The same loss and its gradient, in plain numbers. */
function plainGradient(w: readonly number[]): { loss: number; gradient: number[] } {
  const gradient = [0, 0, 0, 0];
  let loss = 0;
  feeds.labels.forEach((label, row) => {
    const [a, b] = [feeds.x[2 * row] as number, feeds.x[2 * row + 1] as number];
    const z = [0, 1].map((i) => (w[2 * i] as number) * a + (w[2 * i + 1] as number) * b);
    const sum = z.reduce((total, value) => total + Math.exp(value), 0);
    loss += Math.log(sum) - (z[label] as number);
    z.forEach((value, i) => {
      const slope = Math.exp(value) / sum - Number(i === label);
      gradient[2 * i] = (gradient[2 * i] as number) + slope * a;
      gradient[2 * i + 1] = (gradient[2 * i + 1] as number) + slope * b;
    });
  });
  return { loss, gradient };
}

/** One element's way through the formulas of the papers: state, gradient and step number to the new value. */
type Rule = (p: number, g: number, t: number, state: number[]) => number;
const rate = 0.1;
const decay = 0.2;
const rules: [string, Optimizer, Rule][] = [
  [
    'sgd with momentum',
    sgd({ momentum: 0.9, weightDecay: decay }),
    (p, g, _, state) => {
      state[0] = 0.9 * (state[0] ?? 0) + g + decay * p;
      return p - rate * state[0];
    },
  ],
  ['sgd', sgd(), (p, g) => p - rate * g],
  [
    'adam',
    adam({ betas: [0.8, 0.95], epsilon: 1e-3, weightDecay: decay }),
    (p, g, t, state) => {
      const whole = g + decay * p;
      state[0] = 0.8 * (state[0] ?? 0) + 0.2 * whole;
      state[1] = 0.95 * (state[1] ?? 0) + 0.05 * whole ** 2;
      const root = Math.sqrt(state[1] / (1 - 0.95 ** t));
      return p - (rate * (state[0] / (1 - 0.8 ** t))) / (root + 1e-3);
    },
  ],
  [
    'adamW',
    adamW({ weightDecay: decay }),
    (p, g, t, state) => {
      state[0] = 0.9 * (state[0] ?? 0) + 0.1 * g;
      state[1] = 0.999 * (state[1] ?? 0) + 0.001 * g ** 2;
      const root = Math.sqrt(state[1] / (1 - 0.999 ** t));
      return p * (1 - rate * decay) - (rate * (state[0] / (1 - 0.9 ** t))) / (root + 1e-8);
    },
  ],
  [
    'lion',
    lion({ weightDecay: decay }),
    (p, g, _, state) => {
      const direction = Math.sign(0.9 * (state[0] ?? 0) + 0.1 * g);
      state[0] = 0.99 * (state[0] ?? 0) + 0.01 * g;
      return p - rate * (direction + decay * p);
    },
  ],
];

describe.each([['native'], ['reference']])('a training step on the %s backend', (name) => {
  const backend = name === 'native' ? nativeBackend() : new ReferenceBackend();

  it.each(rules)('follows %s for five steps', async (_, optimizer, rule) => {
    const weight = makeWeight();
    const clipNorm = 0.75;
    const groups = [{ parameters: [weight] }];
    const step = await TrainingStep.create({
      loss: lossOf(weight),
      groups,
      optimizer,
      clipNorm,
      backend,
    });
    const values = [...start];
    const states = values.map((): number[] => []);
    for (let t = 1; t <= 5; t++) {
      const expected = plainGradient(values);
      const norm = Math.hypot(...expected.gradient);
      const found = await step.run({ learningRate: rate, step: t }, feeds);
      expect(found.loss).toBeCloseTo(expected.loss, 4);
      expect(found.gradNorm).toBeCloseTo(norm, 4);
      const clip = Math.min(1, clipNorm / (norm + 1e-6));
      values.forEach((value, i) => {
        const g = clip * (expected.gradient[i] as number);
        values[i] = rule(value, g, t, states[i] as number[]);
      });
      const weights = await backend.read(weight);
      values.forEach((value, i) => {
        expect(weights[i]).toBeCloseTo(value, 4);
      });
    }
    step.dispose();
    weight.dispose();
  });
});

describe('TrainingStep', () => {
  const backend = nativeBackend();
  const create = (weight: State, more = {}) =>
    TrainingStep.create({
      loss: lossOf(weight),
      groups: [{ parameters: [weight] }],
      optimizer: adamW(),
      backend,
      ...more,
    });

  it('is one native run, whatever it does', async () => {
    const weight = makeWeight();
    using step = await create(weight, { clipNorm: 1 });
    const before = backend.addon.counters().runs;
    for (let t = 1; t <= 3; t++) await step.run({ learningRate: 0.01, step: t }, feeds);
    expect(backend.addon.counters().runs - before).toBe(3);
    weight.dispose();
  });

  it('leaves everything as it was where a run fails', async () => {
    const weight = makeWeight();
    using step = await create(weight);
    const wrong = { ...feeds, labels: Int32Array.of(0, 2, 1) };
    await expect(step.run({ learningRate: 0.1, step: 1 }, wrong)).rejects.toMatchObject({
      code: 'ERR_INPUT',
      message: expect.stringMatching(/labels\[1\].*2/),
    });
    expect([...(await backend.read(weight))]).toEqual(start);
    for (const state of step.states) expect([...(await backend.read(state))]).toEqual([0, 0, 0, 0]);
    weight.dispose();
  });

  it('keeps states of their own for parts of one tensor, which share its name', async () => {
    /** Weights and moments of two parameters whose gradients differ. */
    async function trained(names: readonly [string, string]) {
      const [query, key] = names.map(
        (name) =>
          new State(name, [2, 2], 'float32', { kind: 'data', data: Float32Array.from(start) }),
      ) as [State, State];
      const backend = nativeBackend();
      using step = await TrainingStep.create({
        loss: ops.add(lossOf(query), ops.scale(lossOf(key), -3)),
        groups: [{ parameters: [query, key] }],
        optimizer: adamW(),
        average: 0.5,
        backend,
      });
      for (let t = 1; t <= 3; t++) await step.run({ learningRate: rate, step: t }, feeds);
      const states = [query, key, ...step.states];
      const values = await Promise.all(states.map((state) => backend.read(state)));
      return { values, kept: step.states.map(({ name }) => name) };
    }
    const parts = await trained(['qkv.weight', 'qkv.weight']);
    const apart = await trained(['q.weight', 'k.weight']);
    expect(parts.values).toEqual(apart.values);
    expect(parts.values).toHaveLength(2 + 2 * 3);
    expect(new Set(parts.kept).size).toBe(parts.kept.length);
  });

  it('trains groups by their own rates and decays', async () => {
    const [weight, gain] = [makeWeight(), new State('gain', [2], 'float32', { kind: 'zeros' })];
    const logits = ops.add(ops.linear(x, stateTensor(weight)), stateTensor(gain));
    const loss = ops.columnSums(ops.crossEntropy(logits, labels));
    const groups = [
      { parameters: [weight], weightDecay: 0.5, rate: 0 },
      { parameters: [gain], rate: 2 },
    ];
    using step = await create(weight, { loss, groups, optimizer: sgd() });
    await step.run({ learningRate: 0.25, step: 1 }, feeds);
    expect([...(await backend.read(weight))]).toEqual(start);
    const [first = 0, second = 0] = await backend.read(gain);
    expect(Math.abs(first)).toBeGreaterThan(0.01);
    expect(first + second).toBeCloseTo(0, 6); // as the gradients by logits do
    weight.dispose();
    gain.dispose();
  });

  it.each<[string, (weight: State) => object, RegExp]>([
    ['no parameters', () => ({ groups: [] }), /parameters to train/],
    [
      'a parameter in two groups',
      (weight) => ({ groups: [{ parameters: [weight] }, { parameters: [weight] }] }),
      /weight again/,
    ],
    ['a norm below 0', () => ({ clipNorm: -1 }), /clipNorm/],
    ['an unknown option', () => ({ clip: 1 }), /clip/],
  ])('refuses %s', async (_, more, message) => {
    const weight = makeWeight();
    await expect(create(weight, more(weight))).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
      message: expect.stringMatching(message),
    });
    weight.dispose();
  });
});
