/** What a step of an optimiser computes from parameters, gradients and states, element by element. */
import { mismatch } from '../errors.js';
import { checkFloat, checkOptions } from '../graph/options.js';
import { bytesOf, type CostOperand, type Operand, registerOp } from '../graph/rules.js';
import { elementCount } from '../graph/shape.js';
import { record, type Tensor } from '../graph/tensor.js';
import { expectFloat32, float32 } from './operands.js';
import { checkState } from './state.js';

const cost =
  (flopsPerElement: number) =>
  (operands: readonly (CostOperand | undefined)[], _: unknown, output: CostOperand) => ({
    flops: flopsPerElement * elementCount(output.shape),
    bytes: [...operands, output].reduce((sum, operand) => sum + bytesOf(operand), 0),
  });

/** All of the first operand's shape. */
function alike(operands: readonly (Operand | undefined)[], names: readonly string[]): Operand {
  const { shape } = float32(operands[0], names[0] ?? '');
  names.forEach((name, i) => {
    expectFloat32(operands[i], name, shape);
  });
  return { shape, dtype: 'float32' };
}

const sumOfSquaresRule = registerOp<Record<string, never>>({
  name: 'sumOfSquares',
  operands: ['x'],
  infer([x]) {
    float32(x, 'x');
    return { shape: [1], dtype: 'float32' };
  },
  reference([x], _, { data }) {
    for (const value of x.data) data[0] = (data[0] ?? 0) + value * value;
  },
  lower: () => ({ kernel: 'sumOfSquares', ints: [], floats: [] }),
  cost: ([x]) => ({ flops: 2 * elementCount(x.shape), bytes: bytesOf(x) }),
});

/** Σ x² over all elements: float32 of any shape → [1]. */
export const sumOfSquares = (x: Tensor): Tensor => record(sumOfSquaresRule, [x], {});

const clipFactorRule = registerOp<{ maxNorm: number }>({
  name: 'clipFactor',
  operands: ['sumOfSquares'],
  infer([squares], { maxNorm }) {
    checkFloat('maxNorm', maxNorm, 0);
    expectFloat32(squares, 'sumOfSquares', [1]);
    return { shape: [1], dtype: 'float32' };
  },
  reference([squares], { maxNorm }, { data }) {
    data[0] = Math.min(1, maxNorm / (Math.sqrt(squares.data[0]) + 1e-6));
  },
  lower: ({ maxNorm }) => ({ kernel: 'clipFactor', ints: [], floats: [maxNorm] }),
  cost: () => ({ flops: 4, bytes: 8 }),
});

/**
 * min(1, maxNorm / (norm + 10⁻⁶)), what gradients are multiplied by to clip their norm (Pascanu et al. 2013, section 3.2;
 * the 10⁻⁶ is PyTorch's). sumOfSquares: float32 [1], the square of the norm. @returns float32 [1].
 */
export const clipFactor = (squares: Tensor, maxNorm: number): Tensor =>
  record(clipFactorRule, [squares], { maxNorm });

type MomentAttributes = { keep: number; take: number; order: 1 | 2 };

const momentRule = registerOp<MomentAttributes>({
  name: 'moment',
  operands: ['before', 'gradient', 'factor?'],
  infer([before, gradient, factor], { keep, take, order }) {
    checkFloat('keep', keep);
    checkFloat('take', take);
    if (order !== 1 && order !== 2) throw mismatch('ERR_ARGUMENT', 'order', '1 or 2', `${order}`);
    expectFloat32(factor, 'factor', [1]);
    return alike([before, gradient], ['before', 'gradient']);
  },
  reference([before, gradient, factor], { keep, take, order }, { data }) {
    const clip = factor?.data[0] ?? 1;
    before.data.forEach((value, i) => {
      data[i] = keep * value + take * (clip * gradient.data[i]) ** order;
    });
  },
  lower: ({ keep, take, order }) => ({ kernel: 'moment', ints: [order], floats: [keep, take] }),
  cost: cost(4),
});

/**
 * keep·before + take·(factor·gradient)^order, element by element: a running mean of gradients (order 1) or of their squares
 * (order 2). before, gradient: float32 of one shape; factor: float32 [1], 1 where left out.
 */
export function moment(
  before: Tensor,
  gradient: Tensor,
  options: { keep: number; take: number; order?: 1 | 2; factor?: Tensor | undefined },
): Tensor {
  checkOptions('moment', options, ['keep', 'take', 'order', 'factor']);
  const { keep, take, order = 1, factor } = options;
  return record(momentRule, [before, gradient, factor], { keep, take, order });
}

type DescendAttributes = { weightDecay: number; epsilon: number; sign: boolean };

const descendRule = registerOp<DescendAttributes>({
  name: 'descend',
  operands: ['parameter', 'direction', 'squares?', 'rates'],
  infer([parameter, direction, squares, rates], { weightDecay, epsilon }) {
    checkFloat('weightDecay', weightDecay);
    checkFloat('epsilon', epsilon, 0);
    expectFloat32(float32(rates, 'rates'), 'rates', [3]);
    return alike([parameter, direction, squares], ['parameter', 'direction', 'squares']);
  },
  reference([p, direction, squares, rates], { weightDecay, epsilon, sign }, { data }) {
    const [rate, first, second] = rates.data;
    p.data.forEach((value, i) => {
      const raw = sign ? Math.sign(direction.data[i]) : direction.data[i] * first;
      const step = squares ? raw / (Math.sqrt(squares.data[i] * second) + epsilon) : raw;
      data[i] = value - rate * (step + weightDecay * value);
    });
  },
  lower: ({ weightDecay, epsilon, sign }) => ({
    kernel: 'descend',
    ints: [Number(sign)],
    floats: [weightDecay, epsilon],
  }),
  cost: cost(10),
});

/**
 * parameter − r·(step + weightDecay·parameter), where rates, float32 [3], are r, c₁ and c₂, and the step is c₁·direction, or
 * c₁·direction / (√(c₂·squares) + epsilon) where squares are given, or with `sign` the sign of the direction. Others: float32
 * of one shape. The decay is the decoupled one (Loshchilov & Hutter 2019, algorithm 2).
 */
export function descend(
  parameter: Tensor,
  direction: Tensor,
  rates: Tensor,
  options: {
    squares?: Tensor | undefined;
    weightDecay?: number;
    epsilon?: number;
    sign?: boolean;
  } = {},
): Tensor {
  checkOptions('descend', options, ['squares', 'weightDecay', 'epsilon', 'sign']);
  const { squares, weightDecay = 0, epsilon = 0, sign = false } = options;
  return record(descendRule, [parameter, direction, squares, rates], {
    weightDecay,
    epsilon,
    sign,
  });
}

type AdamAttributes = {
  betas: readonly [number, number];
  weightDecay: number;
  epsilon: number;
};

const adamRule = registerOp<AdamAttributes>({
  name: 'adam',
  operands: ['parameter', 'first', 'second', 'gradient', 'rates', 'factor?', 'guard?'],
  writes: [0, 1, 2],
  further: [1, 2].map((i) => ({
    name: ['', 'first', 'second'][i] as string,
    infer: (operands) => operands[i] as Operand,
  })),
  infer([parameter, first, second, gradient, rates, factor, guard], attributes) {
    const { betas, weightDecay, epsilon } = attributes;
    for (const beta of betas) checkFloat('betas', beta);
    checkFloat('weightDecay', weightDecay);
    checkFloat('epsilon', epsilon, 0);
    expectFloat32(float32(rates, 'rates'), 'rates', [3]);
    expectFloat32(factor, 'factor', [1]);
    expectFloat32(guard, 'guard', [1]);
    const names = ['parameter', 'first', 'second', 'gradient'];
    return alike([parameter, first, second, gradient], names);
  },
  reference([, , , gradient, rates, factor, guard], attributes, parameter, [first, second]) {
    if (!Number.isFinite(guard?.data[0] ?? 0) || !first || !second) return;
    const { betas, weightDecay, epsilon } = attributes;
    const [rate, c1, c2] = rates.data;
    const clip = factor?.data[0] ?? 1;
    gradient.data.forEach((value, i) => {
      const g = clip * value;
      first.data[i] = betas[0] * first.data[i] + (1 - betas[0]) * g;
      second.data[i] = betas[1] * second.data[i] + (1 - betas[1]) * g ** 2;
      const step = (first.data[i] * c1) / (Math.sqrt(second.data[i] * c2) + epsilon);
      parameter.data[i] -= rate * (step + weightDecay * parameter.data[i]);
    });
  },
  lower: ({ betas, weightDecay, epsilon }) => ({
    kernel: 'adam',
    operands: [3, 4, 5, 6],
    ints: [],
    floats: [...betas, weightDecay, epsilon],
  }),
  cost: ([parameter]) => ({
    flops: 18 * elementCount(parameter.shape),
    bytes: 7 * bytesOf(parameter),
  }),
});

/** What one step of Adam reads and writes of a parameter. */
export interface AdamStep {
  /** States, float32 of one shape, that are written: the parameter and its two moments. */
  parameter: Tensor;
  first: Tensor;
  second: Tensor;
  /** Of that shape. */
  gradient: Tensor;
  /** Float32 [3], as of `descend`. */
  rates: Tensor;
  /** Float32 [1], what the gradient is multiplied by; left out: 1. */
  factor?: Tensor | undefined;
  /** Float32 [1]: where it is not finite when the plan runs, nothing is written. */
  guard?: Tensor | undefined;
}

/**
 * Adam in one pass over memory: a `moment` of either order, `descend` over the root of the second, and the writes of all three
 * (Kingma & Ba 2015, algorithm 1; weight decay as Loshchilov & Hutter 2019, algorithm 2). @returns the parameter as it is
 * afterwards.
 */
export function adam(step: AdamStep, options: AdamAttributes): Tensor {
  checkOptions('adam', options, ['betas', 'weightDecay', 'epsilon']);
  const { parameter, first, second, gradient, rates, factor, guard } = step;
  for (const state of [parameter, first, second]) checkState(state, 'adam');
  const operands = [parameter, first, second, gradient, rates, factor, guard];
  return record(adamRule, operands, options);
}
