import { checkFloat, checkOptions } from '../graph/options.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import { dims, expectFloat32, float32 } from './operands.js';

const gradientRule = registerOp<{ t: number }>({
  name: 'softmaxGradient',
  operands: ['y', 'gradient'],
  infer([y, gradient]) {
    const [rows, columns] = dims(float32(y, 'y'), 'y', ['rows', 'columns']);
    expectFloat32(gradient, 'gradient', [rows, columns]);
    return { shape: [rows, columns], dtype: 'float32' };
  },
  reference([y, gradient], { t }, { shape, data }) {
    const columns = shape[1];
    for (let at = 0; at < data.length; at += columns) {
      let along = 0;
      for (let i = at; i < at + columns; i++) along += gradient.data[i] * y.data[i];
      for (let i = at; i < at + columns; i++) data[i] = t * y.data[i] * (gradient.data[i] - along);
    }
  },
  lower: ({ t }) => ({ kernel: 'softmaxGradient', ints: [], floats: [t] }),
  cost: ([y, gradient], _, output) => ({
    flops: output.shape.reduce((product, dim) => product * dim, 5),
    bytes: bytesOf(y) + bytesOf(gradient) + bytesOf(output),
  }),
});

const rule = registerOp<{ t: number }>({
  name: 'softmax',
  operands: ['x'],
  infer([x], { t }) {
    checkFloat('t', t);
    const [rows, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    return { shape: [rows, columns], dtype: 'float32' };
  },
  reference([x], { t }, { shape, data }) {
    const [rows, columns] = shape;
    for (let row = 0; row < rows; row++) {
      const values = x.data.subarray(row * columns, (row + 1) * columns);
      let largest = -Infinity;
      for (const value of values) largest = Math.max(largest, t * value);
      let sum = 0;
      for (const value of values) sum += Math.exp(t * value - largest);
      values.forEach((value, i) => {
        data[row * columns + i] = Math.exp(t * value - largest) / sum;
      });
    }
  },
  lower: ({ t }) => ({ kernel: 'softmax', ints: [], floats: [t] }),
  cost: ([x], _, output) => ({
    flops: output.shape.reduce((product, dim) => product * dim, 12),
    bytes: bytesOf(x) + bytesOf(output),
  }),
  gradient: ({ attributes, result, gradient }) => [
    record(gradientRule, [result, gradient], attributes),
  ],
});

/**
 * ρ_t(x)_i = e^{t·x_i} / Σ_j e^{t·x_j} over the last dimension, with inverse temperature t. x: float32 [rows, columns].
 * t = 0 gives the uniform distribution, t → ∞ the maximum.
 */
export function softmax(x: Tensor, options: { t?: number } = {}): Tensor {
  checkOptions('softmax', options, ['t']);
  const { t = 1 } = options;
  return record(rule, [x], { t });
}
