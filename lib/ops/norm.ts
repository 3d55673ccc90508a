import { mismatch } from '../errors.js';
import { checkFloat, checkSizes } from '../graph/options.js';
import {
  bytesOf,
  type CostOperand,
  type OpRule,
  type ReferenceTensor,
  registerOp,
} from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import { columnSums } from './column_sums.js';
import { dims, expectFloat32, fixed, float32 } from './operands.js';

const cost =
  (flopsPerElement: number) =>
  (operands: readonly (CostOperand | undefined)[], _: unknown, output: CostOperand) => ({
    flops: output.shape.reduce((product, dim) => product * dim, flopsPerElement),
    bytes: [...operands, output].reduce((sum, operand) => sum + bytesOf(operand), 0),
  });

/** Calls `use` with each of the equal parts of the rows of x. */
function eachPart(
  x: ReferenceTensor,
  width: number,
  use: (values: Float64Array, at: number) => void,
): void {
  for (let at = 0; at < x.data.length; at += width) {
    use((x.data as Float64Array).subarray(at, at + width), at);
  }
}

const mean = (values: Float64Array): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The gradient of y = n·w by x, where n = (x − shift)/σ, given g = w·∂loss/∂y: (g − mean g − n·mean(g·n)) / σ. */
function throughNorm(n: Float64Array, g: Float64Array, sigma: number, centered: boolean) {
  const shift = centered ? mean(g) : 0;
  const along = mean(g.map((value, i) => value * n[i]));
  return g.map((value, i) => (value - shift - n[i] * along) / sigma);
}

const layerNormGradientRule = registerOp<{ epsilon: number }>({
  name: 'layerNormGradient',
  operands: ['x', 'gamma?', 'gradient'],
  infer([x, gamma, gradient]) {
    const [rows, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    expectFloat32(gamma, 'gamma', [columns]);
    expectFloat32(gradient, 'gradient', [rows, columns]);
    return { shape: [rows, columns], dtype: 'float32' };
  },
  reference([x, gamma, gradient], { epsilon }, { shape, data }) {
    eachPart(x, shape[1], (values, at) => {
      const middle = mean(values);
      const sigma = Math.sqrt(mean(values.map((value) => (value - middle) ** 2)) + epsilon);
      const n = values.map((value) => (value - middle) / sigma);
      const g = values.map((_, i) => gradient.data[at + i] * (gamma?.data[i] ?? 1));
      data.set(throughNorm(n, g, sigma, true), at);
    });
  },
  lower: ({ epsilon }) => ({ kernel: 'layerNormGradient', ints: [], floats: [epsilon] }),
  cost: cost(16),
});

const layerNormRule: OpRule<{ epsilon: number }> = registerOp<{ epsilon: number }>({
  name: 'layerNorm',
  operands: ['x', 'gamma?', 'beta?'],
  infer([x, gamma, beta], { epsilon }) {
    checkFloat('epsilon', epsilon, 0);
    const [rows, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    expectFloat32(gamma, 'gamma', [columns]);
    expectFloat32(beta, 'beta', [columns]);
    return { shape: [rows, columns], dtype: 'float32' };
  },
  reference([x, gamma, beta], { epsilon }, { shape, data }) {
    const [rows, columns] = shape;
    for (let row = 0; row < rows; row++) {
      const values = x.data.subarray(row * columns, (row + 1) * columns);
      let mean = 0;
      for (const value of values) mean += value / columns;
      let variance = 0;
      for (const value of values) variance += (value - mean) ** 2 / columns;
      const inverse = 1 / Math.sqrt(variance + epsilon);
      values.forEach((value, i) => {
        data[row * columns + i] =
          (value - mean) * inverse * (gamma?.data[i] ?? 1) + (beta?.data[i] ?? 0);
      });
    }
  },
  lower: ({ epsilon }) => ({ kernel: 'layerNorm', ints: [], floats: [epsilon] }),
  cost: cost(8),
  recomputed: true,
  gradient({ operands: [x, gamma], attributes, gradient, wants }) {
    const normed = (): Tensor => record(layerNormRule, [x, undefined, undefined], attributes);
    return [
      wants(0) ? record(layerNormGradientRule, [x, gamma, gradient], attributes) : undefined,
      wants(1) ? columnSums(gradient, normed()) : undefined,
      wants(2) ? columnSums(gradient) : undefined,
    ];
  },
});

/**
 * Layer normalisation over the last dimension (Ba, Kiros & Hinton 2016, equation 4).
 * x: float32 [rows, columns]; gamma, beta: float32 [columns]. `epsilon` is added to the variance.
 */
export const layerNorm = (
  x: Tensor,
  gamma: Tensor | undefined,
  beta: Tensor | undefined,
  epsilon: number,
): Tensor => record(layerNormRule, [x, gamma, beta], { epsilon });

type RmsNormAttributes = { epsilon: number; offset: number; groups: number };

const rmsNormGradientRule = registerOp<RmsNormAttributes>({
  name: 'rmsNormGradient',
  operands: ['x', 'gamma?', 'gradient'],
  infer([x, gamma, gradient], { groups }) {
    const [rows, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    expectFloat32(gamma, 'gamma', [groups === 1 ? columns : fixed(columns, 'x') / groups]);
    expectFloat32(gradient, 'gradient', [rows, columns]);
    return { shape: [rows, columns], dtype: 'float32' };
  },
  reference([x, gamma, gradient], { epsilon, offset, groups }, { shape, data }) {
    eachPart(x, shape[1] / groups, (values, at) => {
      const sigma = Math.sqrt(mean(values.map((value) => value ** 2)) + epsilon);
      const n = values.map((value) => value / sigma);
      const g = values.map((_, i) => gradient.data[at + i] * (gamma ? gamma.data[i] + offset : 1));
      data.set(throughNorm(n, g, sigma, false), at);
    });
  },
  lower: ({ epsilon, offset, groups }) => ({
    kernel: 'rmsNormGradient',
    ints: [groups],
    floats: [epsilon, offset],
  }),
  cost: cost(12),
});

const rmsNormRule: OpRule<RmsNormAttributes> = registerOp<RmsNormAttributes>({
  name: 'rmsNorm',
  operands: ['x', 'gamma?'],
  infer([x, gamma], { epsilon, offset, groups }) {
    checkFloat('epsilon', epsilon, 0);
    checkFloat('offset', offset);
    checkSizes('rmsNorm', { groups });
    const [rows, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    const width = groups === 1 ? columns : fixed(columns, 'x') / groups;
    if (typeof width === 'number' && !Number.isInteger(width)) {
      throw mismatch('ERR_SHAPE', 'x', `columns that ${groups} groups divide`, `${columns}`);
    }
    expectFloat32(gamma, 'gamma', [width]);
    return { shape: [rows, columns], dtype: 'float32' };
  },
  reference([x, gamma], { epsilon, offset, groups }, { shape, data }) {
    const columns = shape[1] / groups;
    for (let row = 0; row < shape[0] * groups; row++) {
      const values = x.data.subarray(row * columns, (row + 1) * columns);
      let square = 0;
      for (const value of values) square += value ** 2 / columns;
      const inverse = 1 / Math.sqrt(square + epsilon);
      values.forEach((value, i) => {
        const weight = gamma ? gamma.data[i] + offset : 1;
        data[row * columns + i] = value * inverse * weight;
      });
    }
  },
  lower: ({ epsilon, offset, groups }) => ({
    kernel: 'rmsNorm',
    ints: [groups],
    floats: [epsilon, offset],
  }),
  cost: cost(5),
  recomputed: true,
  gradient({ operands: [x, gamma], attributes, gradient, wants }) {
    const { epsilon, groups } = attributes;
    const normed = (): Tensor => rmsNorm(x as Tensor, undefined, epsilon, 0, groups);
    return [
      wants(0) ? record(rmsNormGradientRule, [x, gamma, gradient], attributes) : undefined,
      wants(1) ? columnSums(gradient, normed(), { groups }) : undefined,
    ];
  },
});

/**
 * Root mean square normalisation over the last dimension (Zhang & Sennrich 2019, equation 4):
 * x / √(mean(x²) + epsilon) · (gamma + offset). With `groups`, each of so many equal parts of a row is normalised by itself,
 * all with the same gamma, [columns / groups]: the heads of queries and keys.
 */
export const rmsNorm = (
  x: Tensor,
  gamma: Tensor | undefined,
  epsilon: number,
  offset = 0,
  groups = 1,
): Tensor => record(rmsNormRule, [x, gamma], { epsilon, offset, groups });
