import { checkSizes } from '../graph/options.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import { dims, float32 } from './operands.js';

const elements = (shape: readonly number[]): number => shape.reduce((n, dim) => n * dim, 1);

const multiplyAddRule = registerOp<{ steps: number }>({
  name: 'multiplyAdd',
  operands: ['x'],
  infer([x], { steps }) {
    checkSizes('multiplyAdd', { steps }, 0);
    return { shape: float32(x, 'x').shape, dtype: 'float32' };
  },
  reference([x], { steps }, { data }) {
    x.data.forEach((value, i) => {
      let y = value;
      for (let step = 0; step < steps; step++) y = y / 2 + 1 / 4;
      data[i] = y;
    });
  },
  lower: ({ steps }) => ({ kernel: 'multiplyAdd', ints: [steps], floats: [] }),
  cost: ([x], { steps }, output) => ({
    flops: 2 * steps * elements(output.shape),
    bytes: bytesOf(x) + bytesOf(output),
  }),
});

const sumRowsRule = registerOp<Record<string, never>>({
  name: 'sumRows',
  operands: ['x'],
  infer([x]) {
    const [rows] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    return { shape: [rows], dtype: 'float32' };
  },
  reference([x], _, { shape, data }) {
    const [rows] = shape;
    const columns = x.shape[1];
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) data[row] += x.data[row * columns + column];
    }
  },
  lower: () => ({ kernel: 'sumRows', ints: [], floats: [] }),
  cost: ([x], _, output) => ({
    flops: elements(x.shape),
    bytes: bytesOf(x) + bytesOf(output),
  }),
});

/**
 * f(f(…f(x))), `steps` times f(x) = x/2 + 1/4: arithmetic that never leaves the registers, to measure what the CPU can do.
 * x: float32 of any shape.
 */
export const multiplyAdd = (x: Tensor, steps: number): Tensor =>
  record(multiplyAddRule, [x], { steps });

/** The sum of each row, which reads memory once: to measure what that can do. x: float32 [rows, columns]. @returns [rows] */
export const sumRows = (x: Tensor): Tensor => record(sumRowsRule, [x], {});
