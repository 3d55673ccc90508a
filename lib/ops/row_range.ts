import { mismatch } from '../errors.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import { sameShape } from '../graph/shape.js';
import { record, type Tensor } from '../graph/tensor.js';
import { dims, fixed, float32 } from './operands.js';

const rangeRule = registerOp<{ first: number; count: number }>({
  name: 'rowRange',
  operands: ['x'],
  infer([x], { first, count }) {
    const [rows, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    const all = fixed(rows, 'x');
    const whole = Number.isInteger(first) && Number.isInteger(count);
    if (!(whole && first >= 0 && count > 0 && first + count <= all)) {
      const expected = `at least one of ${all} rows`;
      throw mismatch('ERR_SHAPE', 'rows', expected, `${count} from ${first} on`);
    }
    return { shape: [count, fixed(columns, 'x')], dtype: 'float32' };
  },
  reference([x], { first }, { shape, data }) {
    const columns = shape[1];
    data.set(x.data.subarray(first * columns, first * columns + data.length));
  },
  lower: ({ first }) => ({ kernel: 'rowRange', ints: [first], floats: [] }),
  cost: (_, __, output) => ({ flops: 0, bytes: 2 * bytesOf(output) }),
});

/** Rows first…first + count of a matrix, float32, whose number of rows is fixed. Has no gradient. */
export const rowRange = (x: Tensor, range: { first: number; count: number }): Tensor =>
  record(rangeRule, [x], range);

const joinRule = registerOp<Record<string, never>>({
  name: 'joinRows',
  operands: ['a', 'b'],
  infer([a, b]) {
    const [left, right] = [float32(a, 'a').shape, float32(b, 'b').shape];
    const isMatrix = left.length === 1 || left.length === 2;
    if (!isMatrix || !sameShape(left.slice(1), right.slice(1)) || left.length !== right.length) {
      throw mismatch('ERR_SHAPE', 'b', `rows like those of a, [${left}]`, `[${right}]`);
    }
    const rows = fixed(left[0] ?? 0, 'a') + fixed(right[0] ?? 0, 'b');
    return { shape: [rows, ...left.slice(1)], dtype: 'float32' };
  },
  reference([a, b], _, { data }) {
    data.set(a.data);
    data.set(b.data, a.data.length);
  },
  lower: () => ({ kernel: 'joinRows', ints: [], floats: [] }),
  cost: (_, __, output) => ({ flops: 0, bytes: 2 * bytesOf(output) }),
});

/** The rows of each part in turn: float32 matrices of one width, or vectors, of fixed sizes. Has no gradient. */
export function joinRows(parts: readonly Tensor[]): Tensor {
  const middle = Math.ceil(parts.length / 2);
  if (parts.length === 1) return parts[0] as Tensor;
  // By halves, so that each element is copied as often as there are levels.
  return record(joinRule, [joinRows(parts.slice(0, middle)), joinRows(parts.slice(middle))], {});
}
