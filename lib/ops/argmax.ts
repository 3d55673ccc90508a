import { mismatch } from '../errors.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import { dims, float32 } from './operands.js';

/** Columns beyond are not numbered exactly by a float32. */
const mostColumns = 2 ** 24;

const rule = registerOp<Record<string, never>>({
  name: 'argmax',
  operands: ['x'],
  infer([x]) {
    const [rows, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    if (!(typeof columns === 'number' && columns >= 1 && columns <= mostColumns)) {
      throw mismatch('ERR_SHAPE', 'x', `1 to ${mostColumns} columns`, `${columns}`);
    }
    return { shape: [rows, 2], dtype: 'float32' };
  },
  reference([x], _, { shape, data }) {
    const columns = x.shape[1];
    for (let row = 0; row < shape[0]; row++) {
      const first = row * columns;
      let best = first;
      for (let i = first; i < first + columns && !Number.isNaN(x.data[best]); i++) {
        if (!(x.data[i] <= x.data[best])) best = i;
      }
      data.set([best - first, x.data[best]], 2 * row);
    }
  },
  lower: () => ({ kernel: 'argmax', ints: [], floats: [] }),
  cost: ([x], _, output) => ({
    flops: x.shape.reduce((product, dim) => product * dim, 1),
    bytes: bytesOf(x) + bytesOf(output),
  }),
});

/**
 * The column of the greatest element of each row, of equal ones the first, and that element; of a row that holds NaN the first
 * NaN. x: float32 [rows, columns], 1 to 2^24 columns. @returns float32 [rows, 2].
 */
export const argmax = (x: Tensor): Tensor => record(rule, [x], {});
