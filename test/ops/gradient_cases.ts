import type { Tensor } from '../../lib/graph/tensor.js';
import { tensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';
import {
  attentionGradientCases,
  bounds,
  largeAttentionCases,
  places,
  rows,
} from './attention_gradient_cases.js';
import { ints, type Random } from './op_case.js';

/** An op, or a few, as a function of inputs by all of which it is differentiated. */
export interface GradientCase {
  name: string;
  /** Ops that the gradient is made of and that nothing else uses. */
  ops?: readonly string[];
  shapes: number[][];
  build: (inputs: Tensor[], random: Random) => Tensor;
  /** Which of the inputs the native kernels take as parameters alone. */
  states?: readonly number[];
  /** The inputs are drawn within `scale` of this; left out: within 1 of 0. */
  around?: number;
  scale?: number;
}

/** Σ x·w for fixed weights w: a loss in which every element of x counts differently. */
export function weighted(x: Tensor, random: Random): Tensor {
  const [rows = 1, width = 1] = x.shape as number[];
  const products = ops.multiply(x, random.tensor(x.shape as number[]));
  const isMatrix = x.shape.length === 2;
  const matrix = isMatrix ? products : ops.add(zeros(1, rows), products);
  const ones = ops.scale(zeros(isMatrix ? width : rows, 1), 1, 1);
  return ops.columnSums(ops.matmul(matrix, ones));
}

const zeros = (...shape: [number, number]): Tensor =>
  tensor(new Float32Array(shape[0] * shape[1]), shape);

/** A row's way through its experts: all of it, by x, the logits and the three matrices. */
const mixture = (normalised: boolean, [rows, width, inner, experts, chosen]: number[]) => ({
  name: `a mixture of experts, ${rows}×${width}, ${chosen} of ${experts}, ${normalised ? 'normalised' : 'as they are'}`,
  ops: [
    'routeExpertsGradient',
    'joinExpertsGradient',
    'linearExpertsGradient',
    'linearExpertsWeightGradient',
  ],
  shapes: [
    [rows, width],
    [rows, experts],
    [experts * inner, width],
    [experts * width, inner],
  ] as number[][],
  states: [2, 3],
  scale: 1.5,
  build: ([x, logits, up, down]: Tensor[]) => {
    const routing = ops.routeExperts(logits as Tensor, { chosen, normalised });
    const each = { experts, chosen };
    const h = ops.linearExperts(x as Tensor, routing, up as Tensor, { ...each, gather: true });
    const y = ops.linearExperts(h, routing, down as Tensor, { ...each, gather: false });
    return ops.joinExperts(y, routing, { chosen });
  },
});

const two =
  (of: (a: Tensor, b: Tensor) => Tensor) =>
  ([a, b]: Tensor[]) =>
    of(a as Tensor, b as Tensor);
const one =
  (of: (x: Tensor) => Tensor) =>
  ([x]: Tensor[]) =>
    of(x as Tensor);

const activations = ['relu', 'gelu', 'geluTanh', 'silu', 'tanh', 'sigmoid', 'quickGelu'] as const;
const poolings = ['mean', 'first', 'last', 'max', 'meanSqrtLength', 'weightedMean'] as const;

const angles = (count: number, step: number): Tensor =>
  tensor(
    Float32Array.from({ length: count * 4 }, (_, i) => {
      const angle = Math.floor(i / 4) * step * (i % 2 ? 0.3 : 1);
      return i % 4 < 2 ? Math.cos(angle) : Math.sin(angle);
    }),
    [count, 4],
  );

const throughStored = (dtype: 'float16' | 'bfloat16' | 'int8'): GradientCase => ({
  name: `linear by its input, the weight ${dtype}`,
  shapes: [[3, 9]],
  build: ([x], random) => ops.linear(x as Tensor, random.state([5, 9], dtype)),
});

/**
 * Not for differences: too large, with more than one tile of queries, block of keys and register tile; or rounding on the way.
 */
export const largeGradientCases: readonly GradientCase[] = [
  throughStored('int8'),
  ...[false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => ({
      name: `a product in bfloat16, ${transposeA ? 'aᵀ' : 'a'}·${transposeB ? 'bᵀ' : 'b'}`,
      shapes: [transposeA ? [7, 5] : [5, 7], transposeB ? [9, 7] : [7, 9]],
      build: ([a, b]: Tensor[]) =>
        ops.matmul(a as Tensor, b as Tensor, { transposeA, transposeB, compute: 'bfloat16' }),
    })),
  ),
  ...largeAttentionCases,
  mixture(true, [130, 33, 20, 5, 2]),
];

export const gradientCases: readonly GradientCase[] = [
  ...activations.map((kind) => ({
    name: kind,
    ops: ['activationGradient'],
    shapes: [[3, 7]],
    scale: 4,
    build: one((x) => ops.activation(x, kind)),
  })),
  {
    name: 'add',
    shapes: [
      [3, 5],
      [3, 5],
    ],
    build: two(ops.add),
  },
  { name: 'add a row', ops: ['columnSums'], shapes: [[3, 5], [5]], build: two(ops.add) },
  {
    name: 'multiply',
    shapes: [
      [3, 5],
      [3, 5],
    ],
    build: two(ops.multiply),
  },
  { name: 'multiply by a row', shapes: [[3, 5], [5]], build: two(ops.multiply) },
  { name: 'a square', shapes: [[3, 5]], build: one((x) => ops.multiply(x, x)) },
  { name: 'scale', shapes: [[3, 5]], build: one((x) => ops.scale(x, -1.5, 2)) },
  ...[false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => ({
      name: `matmul ${transposeA} ${transposeB}`,
      shapes: [transposeA ? [4, 3] : [3, 4], transposeB ? [5, 4] : [4, 5]],
      build: two((a, b) => ops.matmul(a, b, { transposeA, transposeB })),
    })),
  ),
  {
    name: 'linear by its input, with a bias that is computed',
    shapes: [[3, 4], [5]],
    build: ([x, bias], random) => ops.linear(x as Tensor, random.state([5, 4]), bias as Tensor),
  },
  throughStored('float16'),
  throughStored('bfloat16'),
  {
    name: 'layerNorm',
    ops: ['layerNormGradient'],
    shapes: [[3, 7], [7], [7]],
    build: ([x, gamma, beta]) => ops.layerNorm(x as Tensor, gamma, beta, 1e-2),
  },
  {
    name: 'layerNorm without gain',
    shapes: [[3, 7]],
    build: one((x) => ops.layerNorm(x, undefined, undefined, 1e-5)),
  },
  {
    name: 'rmsNorm',
    ops: ['rmsNormGradient'],
    shapes: [[3, 7], [7]],
    build: two((x, g) => ops.rmsNorm(x, g, 1e-2, 1)),
  },
  {
    name: 'rmsNorm in groups',
    ops: ['rmsNormGradient'],
    shapes: [[3, 6], [2]],
    build: two((x, g) => ops.rmsNorm(x, g, 1e-2, 0, 3)),
  },
  ...[0, 0.1].map((smoothing) => ({
    name: `crossEntropy, smoothing ${smoothing}`,
    ops: ['crossEntropyGradient'],
    shapes: [[5, 7]],
    scale: 3,
    build: one((x) => ops.crossEntropy(x, ints([0, 6, 3, 3, 1]), { smoothing })),
  })),
  ...[
    { block: 3, smoothing: 0.1 },
    { block: 9, smoothing: 0 },
  ].map((options) => ({
    name: `linearCrossEntropy by ${options.block}`,
    ops: ['crossEntropyPart', 'crossEntropyPartGradient', 'rowRange'],
    shapes: [[5, 4], [7, 4], [7]],
    build: ([x, weight, bias]: Tensor[]) =>
      ops.linearCrossEntropy(x as Tensor, weight as Tensor, ints([0, 6, 3, 3, 1]), {
        bias,
        ...options,
      }),
  })),
  {
    name: 'dropout',
    shapes: [[3, 7]],
    build: one((x) => ops.dropout(x, { rate: 0.4, site: 2, seed: ints([5]), step: ints([9]) })),
  },
  {
    name: 'softmax',
    ops: ['softmaxGradient'],
    shapes: [[3, 7]],
    build: one((x) => ops.softmax(x, { t: 1.5 })),
  },
  {
    name: 'columnSums of a product',
    shapes: [
      [4, 3],
      [4, 3],
    ],
    build: two((a, b) => ops.columnSums(a, b)),
  },
  {
    name: 'columns',
    ops: ['columnsGradient'],
    shapes: [[3, 11]],
    build: one((x) => ops.columns(x, { first: 1, step: 4, size: 3, count: 2 })),
  },
  {
    name: 'embedding',
    ops: ['embeddingGradient'],
    shapes: [[5, 3]],
    build: one((table) => ops.embedding(table, ints([4, 0, 4, 2, 4]), { scale: 1.5 })),
  },
  ...poolings.map((mode) => ({
    name: `pool ${mode}`,
    ops: ['poolGradient'],
    shapes: [[rows, 3]],
    build: one((x) => ops.pool(x, bounds, 4, mode)),
  })),
  {
    name: 'l2Normalize',
    ops: ['l2NormalizeGradient'],
    shapes: [[3, 5]],
    build: one((x) => ops.l2Normalize(x)),
  },
  {
    name: 'l2Normalize below epsilon',
    ops: ['l2NormalizeGradient'],
    shapes: [[3, 5]],
    build: one((x) => ops.l2Normalize(x, { epsilon: 9 })),
  },
  {
    name: 'relativeBias',
    ops: ['relativeBiasGradient'],
    shapes: [[8, 3]],
    build: one((table) => ops.relativeBias(table, { maxDistance: 20 })),
  },
  {
    name: 'rope',
    shapes: [[rows, 10]],
    build: one((x) => {
      const tables = { fine: angles(4, 1), coarse: angles(3, 4) };
      return ops.rope(x, places, { heads: 2, tables });
    }),
  },
  {
    name: 'unfold',
    ops: ['unfoldGradient'],
    shapes: [[rows, 2]],
    build: one((x) => {
      const positions = ints([0, 1, 3, 4, 5, 0, 0, 1, 2, 3, 4, 5, 7]);
      return ops.unfold(x, { size: 3, positions, segments: bounds });
    }),
  },
  ...attentionGradientCases,
  mixture(true, [7, 3, 5, 4, 2]),
  mixture(false, [7, 3, 5, 4, 2]),
  mixture(false, [5, 2, 1, 3, 1]),
];
