import { describe, expect, it } from 'vitest';
import { SymbolicDim } from '../../lib/graph/shape.js';
import { State } from '../../lib/graph/state.js';
import { input, stateTensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';
import { Batches, withinBudget } from '../../lib/train/batches.js';
import { adamW, sgd } from '../../lib/train/optimizers.js';
import { groupParameters } from '../../lib/train/parameter_groups.js';
import { TrainingStep } from '../../lib/train/training_step.js';
import { nativeBackend } from '../native.js';

const backend = nativeBackend();
const rows = new SymbolicDim('rows');
const makeWeight = (name = 'weight', shape = [2, 2]) =>
  new State(name, shape, 'float32', { kind: 'data', data: Float32Array.of(1, -2, 3, 0.5) });
const x = input('x', [rows, 2], 'float32');
const labels = input('labels', [rows], 'int32');
const lossOf = (weight: State) =>
  ops.columnSums(ops.crossEntropy(ops.linear(x, stateTensor(weight)), labels));
const batch = (values: number[], targets: number[]) => ({
  feeds: { x: Float32Array.from(values), labels: Int32Array.from(targets) },
  sizes: new Map([[rows, targets.length]]),
});
const create = (weight: State, more = {}) =>
  TrainingStep.create({
    loss: lossOf(weight),
    groups: [{ parameters: [weight] }],
    optimizer: adamW(),
    capacities: new Map([[rows, 8]]),
    backend,
    ...more,
  });

describe('a step of several runs', () => {
  it('is that of the one large batch', async () => {
    const [one, many] = [makeWeight(), makeWeight()];
    using whole = await create(one, { clipNorm: 0.5 });
    using parts = await create(many, { clipNorm: 0.5 });
    const values = [1, -1, 0.5, 2, -3, 0.25, 1.5, 1];
    const targets = [0, 1, 1, 0];
    for (let t = 1; t <= 3; t++) {
      const at = { learningRate: 0.1, step: t };
      const { feeds, sizes } = batch(values, targets);
      const expected = await whole.run(at, feeds, sizes);
      // Two, three and one part: the sums of an earlier step must not be in them.
      const cuts = t === 1 ? [0, 2, 4] : t === 2 ? [0, 1, 3, 4] : [0, 4];
      const runs = cuts
        .slice(1)
        .map((to, i) =>
          batch(values.slice(2 * (cuts[i] as number), 2 * to), targets.slice(cuts[i], to)),
        );
      const found = await parts.runParts(at, runs);
      expect(found.loss).toBeCloseTo(expected.loss, 5);
      expect(found.gradNorm).toBeCloseTo(expected.gradNorm, 5);
      const [a, b] = [await backend.read(one), await backend.read(many)];
      a.forEach((value, i) => {
        expect(b[i]).toBeCloseTo(value, 5);
      });
    }
    one.dispose();
    many.dispose();
  });
});

describe('a step that is not finite', () => {
  it.each([
    ['in one run', (bad: object) => [bad]],
    ['in the first of two', (bad: object) => [bad, batch([1, 1], [0])]],
    ['in the last of two', (bad: object) => [batch([1, 1], [0]), bad]],
  ])('writes nothing: %s', async (_, runsOf) => {
    const weight = makeWeight('layer.weight');
    using step = await create(weight, { average: 0.9 });
    await step.run({ learningRate: 0.1, step: 1 }, batch([1, 1], [0]).feeds, new Map([[rows, 1]]));
    const states = [weight, ...step.states];
    const contents = () =>
      Promise.all(states.map(async (state) => [...(await backend.read(state))]));
    const before = await contents();
    const runs = runsOf(batch([Number.NaN, 1], [0])) as Parameters<TrainingStep['runParts']>[1];
    await expect(step.runParts({ learningRate: 0.1, step: 2 }, runs)).rejects.toMatchObject({
      code: 'ERR_DIVERGED',
      message: expect.stringMatching(/step 2.*layer\.weight/),
    });
    expect(await contents()).toEqual(before);
    const { loss } = await step.runParts({ learningRate: 0.1, step: 2 }, [
      batch([1, 1], [0]),
      batch([2, 1], [1]),
    ]);
    expect(Number.isFinite(loss)).toBe(true);
    weight.dispose();
  });
});

describe('the moving average', () => {
  it('follows its formula', async () => {
    const weight = makeWeight();
    using step = await create(weight, { average: 0.75, optimizer: sgd() });
    let expected = [0, 0, 0, 0];
    for (let t = 1; t <= 3; t++) {
      const { feeds, sizes } = batch([1, -1], [0]);
      await step.run({ learningRate: 0.5, step: t }, feeds, sizes);
      const now = await backend.read(weight);
      expected = expected.map((mean, i) => 0.75 * mean + 0.25 * (now[i] as number));
    }
    const [average] = step.states.filter(({ name }) => name.endsWith('average'));
    const found = await backend.read(average as State);
    expected.forEach((mean, i) => {
      expect(found[i]).toBeCloseTo(mean, 5);
    });
    weight.dispose();
  });
});

describe('batches', () => {
  const sizes = [5, 3, 8, 2, 2, 7, 1, 4];
  const options = { sizes, tokens: 10, seed: 3 };
  const epochOf = (batches: Batches, epoch: number): number[][] => {
    const all: number[][] = [];
    for (let at = { epoch, batch: 0 }; at.epoch === epoch; ) {
      const { examples, next } = batches.at(at);
      all.push([...examples]);
      at = next;
    }
    return all;
  };

  it('hold every example once an epoch, within the budget, in orders that the seed decides', () => {
    const first = epochOf(new Batches(options), 0);
    expect(first.flat().sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    for (const numbers of first) {
      expect(numbers.reduce((sum, i) => sum + (sizes[i] as number), 0)).toBeLessThanOrEqual(10);
    }
    expect(epochOf(new Batches(options), 0)).toEqual(first);
    expect(epochOf(new Batches(options), 1)).not.toEqual(first);
    expect(epochOf(new Batches({ ...options, seed: 4 }), 0)).not.toEqual(first);
  });

  it('refuse an example beyond the budget, and no examples', () => {
    expect(() => new Batches({ ...options, tokens: 7 })).toThrow(/example 3.*7 tokens.*8/);
    expect(() => new Batches({ ...options, sizes: [] })).toThrow(/at least 1/);
  });

  it('are cut by number, too', () => {
    expect(withinBudget([1, 1, 1, 9, 1], (n) => n, { tokens: 4, examples: 2 })).toEqual([
      [1, 1],
      [1],
      [9],
      [1],
    ]);
  });
});

describe('groups', () => {
  const [matrix, bias, norm] = [
    makeWeight('a.weight'),
    makeWeight('a.bias', [4]),
    makeWeight('norm.weight', [4]),
  ];

  it('take parameters by the first rule that matches, and do not decay vectors', () => {
    const groups = groupParameters([matrix, bias, norm], [{ match: 'norm', rate: 0.5 }]);
    const facts = groups.map(({ parameters, ...rest }) => ({
      names: [...parameters].map(({ name }) => name),
      ...rest,
    }));
    expect(facts).toEqual([
      { names: ['a.weight'] },
      { names: ['a.bias'], weightDecay: 0 },
      { names: ['norm.weight'], rate: 0.5, weightDecay: 0 },
    ]);
  });

  it.each([
    [[{ match: 'nowhere' }], /groups\[0\].*nowhere/],
    [[{ match: '(' }], /groups\[0\]/],
    [[{ match: 'a', decay: 1 }], /decay/],
  ])('refuse %j', (rules, message) => {
    expect(() => groupParameters([matrix], rules as never)).toThrow(message);
  });
});
