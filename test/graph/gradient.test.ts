import { describe, expect, it } from 'vitest';
import { gradient } from '../../lib/graph/gradient.js';
import { inRecordedOrder } from '../../lib/graph/program.js';
import { registeredOps, ruleOf } from '../../lib/graph/rules.js';
import { State } from '../../lib/graph/state.js';
import { input, sourceNode, stateTensor, type Tensor, tensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';
import { gradientCases, largeGradientCases, weighted } from '../ops/gradient_cases.js';
import { Random } from '../ops/op_case.js';
import { reference } from '../reference.js';

describe('the gradient of every op, against central differences in float64', () => {
  it.each(gradientCases.map((each, i) => [each.name, each, i] as const))(
    '%s',
    async (_, { shapes, build, around = 0, scale = 1 }, i) => {
      const random = new Random(i);
      const given = shapes.map((shape) =>
        random
          .values(
            shape.reduce((a, b) => a * b, 1),
            scale,
          )
          .map((x) => x + around),
      );
      const names = shapes.map((_, at) => `x${at}`);
      const inputs = shapes.map((shape, at) => input(`x${at}`, shape, 'float32'));
      const loss = weighted(build(inputs, new Random(1000 + i)), new Random(2000 + i));
      const feed = (values: readonly Float64Array[]) =>
        Object.fromEntries(names.map((name, at) => [name, values[at] as unknown as Float32Array]));
      const start = given.map((values) => Float64Array.from(values));
      const gradients = gradient(loss, inputs);
      const outputs = Object.fromEntries(gradients.map((each, at) => [names[at] ?? '', each]));
      const found = await reference(outputs, feed(start));
      const step = 1e-4;
      for (const [at, name] of names.entries()) {
        expect(gradients[at]?.shape).toEqual(shapes[at]);
        const values = start[at] ?? new Float64Array(0);
        // A few of many elements: each costs two runs of the whole graph.
        const every = Math.max(1, Math.floor(values.length / 12));
        for (let j = (at * 7 + i) % every; j < values.length; j += every) {
          const lossAt = async (shift: number): Promise<number> => {
            const moved = start.map((each) => Float64Array.from(each));
            const target = moved[at] as Float64Array;
            target[j] = (target[j] ?? 0) + shift;
            return (await reference({ loss }, feed(moved))).loss?.[0] ?? Number.NaN;
          };
          const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
          const actual = found[name]?.[j] ?? Number.NaN;
          const error = Math.abs(actual - slope);
          expect(error, `${name}[${j}]: ${actual} instead of ${slope}`).toBeLessThan(
            1e-6 + 1e-6 * Math.abs(slope),
          );
        }
      }
    },
  );
});

/** Why an op needs no gradient. */
const reasons: Record<string, readonly string[]> = {
  'gives whole numbers': ['argmax'],
  'is for drawing tokens': ['logitBlocks'],
  'is for looking at': ['attentionWeights'],
  'measures ceilings': ['multiplyAdd', 'sumRows'],
  'writes or reads states while text is written': [
    'append',
    'appendPages',
    'assign',
    'copyPages',
    'joinParts',
    'pagedAttention',
    'readPages',
  ],
  'counts as the identity, and rounds, which differences do not see': ['quantizeBlocks'],
  'is a step of an optimiser': ['adam', 'clipFactor', 'descend', 'moment', 'sumOfSquares'],
  'stands in gradients alone, of which no loss has a second derivative': [
    'activationGradient',
    'attentionBiasGradient',
    'attentionGradient',
    'columnsGradient',
    'crossEntropyGradient',
    'crossEntropyPart',
    'crossEntropyPartGradient',
    'embeddingGradient',
    'joinExpertsGradient',
    'joinRows',
    'l2NormalizeGradient',
    'layerNormGradient',
    'linearExpertsGradient',
    'linearExpertsWeightGradient',
    'poolGradient',
    'relativeBiasGradient',
    'rmsNormGradient',
    'routeExpertsGradient',
    'rowRange',
    'softmaxGradient',
    'unfoldGradient',
  ],
};

describe('the table of all ops', () => {
  const recorded = new Set(
    [...gradientCases, ...largeGradientCases].flatMap(({ shapes, build }) => {
      const inputs = shapes.map((shape, at) => input(`x${at}`, shape, 'float32'));
      const nodes = inRecordedOrder([build(inputs, new Random(0))]);
      return nodes.map((value) => sourceNode(value)?.op ?? '');
    }),
  );

  it.each([...registeredOps()])('%s has a gradient that is checked, or a reason', (op) => {
    const reason = Object.keys(reasons).find((each) => reasons[each]?.includes(op));
    const isChecked = ruleOf(op).gradient !== undefined && recorded.has(op);
    expect({ isChecked, reason: reason !== undefined }).toEqual({
      isChecked: reason === undefined,
      reason: !isChecked,
    });
  });

  it('is what the reasons are for', () => {
    const named = Object.values(reasons).flat();
    expect(named.filter((op) => !registeredOps().includes(op))).toEqual([]);
  });
});

describe('gradient', () => {
  const weight = new State('weight', [2, 2], 'float32', {
    kind: 'data',
    data: Float32Array.of(1, 2, 3, 4),
  });
  const x = tensor([
    [1, -1],
    [0.5, 2],
  ]);
  const total = (y: Tensor): Tensor => ops.columnSums(ops.matmul(y, tensor([[1], [1]])));

  it('adds up over every use of a parameter, behind however many tensors it stands', async () => {
    const once = ops.linear(x, stateTensor(weight));
    const loss = total(ops.linear(once, stateTensor(weight)));
    const [both] = gradient(loss, [stateTensor(weight)]);
    // loss = s·Wᵀ·Wᵀ·1 with s = [1.5, 1], the sums of the columns of x. By the outer W: s·Wᵀ = [3.5, 8.5] in each row;
    // by the inner one: the sums of the columns of W, [4, 6]ᵀ, times s.
    const { both: found } = await reference({ both: both as Tensor });
    expect([...(found ?? [])]).toEqual([9.5, 12.5, 12.5, 14.5]);
  });

  it('differentiates again', async () => {
    const y = input('y', [1, 1], 'float32');
    const cube = ops.columnSums(ops.multiply(ops.multiply(y, y), y));
    const [first] = gradient(cube, [y]);
    const [second] = gradient(ops.columnSums(first as Tensor), [y]);
    const result = await reference({ second: second as Tensor }, { y: Float32Array.of(2) });
    expect(result.second?.[0]).toBe(12);
  });

  it.each<[string, () => unknown, string, RegExp]>([
    [
      'a state that was written on the way',
      () => {
        const before = stateTensor(weight);
        const loss = total(ops.linear(x, before));
        const written = ops.assign(before, ops.scale(before, 2));
        return gradient(ops.add(loss, total(written)), [before]);
      },
      'ERR_UNSUPPORTED',
      /assign: it writes weight/,
    ],
    [
      'an op without a gradient by what is trained',
      () => {
        const y = input('y', [2, 2], 'float32');
        return gradient(ops.columnSums(y, undefined, { groups: 2 }), [y]);
      },
      'ERR_UNSUPPORTED',
      /columnSums: it has none by a/,
    ],
    [
      'a parameter that the loss does not know',
      () => gradient(total(x), [stateTensor(weight)]),
      'ERR_ARGUMENT',
      /weight.*depends/,
    ],
    ['a loss of many numbers', () => gradient(x, [x]), 'ERR_SHAPE', /one float32 number/],
    [
      'a parameter of whole numbers',
      () => gradient(total(x), [input('ids', [2], 'int32')]),
      'ERR_SHAPE',
      /float32.*int32/,
    ],
    ['no array', () => gradient(total(x), x as unknown as Tensor[]), 'ERR_ARGUMENT', /an array/],
  ])('refuses %s', (_, call, code, message) => {
    expect(call).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
});
