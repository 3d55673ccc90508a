import { mismatch } from '../errors.js';
import { checkFloat, checkSizes } from '../graph/options.js';
import { bytesOf, type CostOperand, registerOp } from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import { dims, expectFloat32, fixed, float32 } from './operands.js';

const cost =
  (flopsPerElement: number) =>
  (operands: readonly (CostOperand | undefined)[], _: unknown, output: CostOperand) => ({
    flops: output.shape.reduce((product, dim) => product * dim, flopsPerElement),
    bytes: [...operands, output].reduce((sum, operand) => sum + bytesOf(operand), 0),
  });

const layerNormRule = registerOp<{ epsilon: number }>({
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

const rmsNormRule = registerOp<{ epsilon: number; offset: number; groups: number }>({
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
