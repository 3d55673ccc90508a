import { mismatch } from '../errors.js';
import { checkOptions } from '../graph/options.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import { dims, fixed, float32 } from './operands.js';

/** Blocks of columns: `count` of them, `size` wide, the first at `first` and each `step` after the one before. */
export type ColumnBlocks = { first: number; step: number; size: number; count: number };

const gradientRule = registerOp<ColumnBlocks & { width: number }>({
  name: 'columnsGradient',
  operands: ['gradient'],
  infer([gradient], { width }) {
    const [rows] = dims(float32(gradient, 'gradient'), 'gradient', ['rows', 'columns']);
    return { shape: [rows, width], dtype: 'float32' };
  },
  reference([gradient], { first, step, size, count, width }, { data }) {
    gradient.data.forEach((value, at) => {
      const row = Math.floor(at / (size * count));
      const i = at % (size * count);
      data[row * width + first + Math.floor(i / size) * step + (i % size)] = value;
    });
  },
  lower: ({ first, step, size, count }) => ({
    kernel: 'columnsGradient',
    operands: [1, 0], // the residual is only fused in
    ints: [first, step, size, count],
    floats: [],
  }),
  inPlace: 1,
  cost: ([gradient], _, output) => ({ flops: 0, bytes: bytesOf(gradient) + bytesOf(output) }),
});

const rule = registerOp<ColumnBlocks>({
  name: 'columns',
  operands: ['x'],
  infer([x], { first, step, size, count }) {
    const [rows, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    const width = fixed(columns, 'x');
    const whole = [first, step, size, count].every(Number.isInteger);
    const last = first + (count - 1) * step + size;
    if (!(whole && first >= 0 && size > 0 && count > 0 && step >= size && last <= width)) {
      const expected = `blocks that do not overlap, inside ${width} columns`;
      const found = `${count} of ${size}, from ${first} on every ${step}`;
      throw mismatch('ERR_SHAPE', 'columns', expected, found);
    }
    return { shape: [rows, size * count], dtype: 'float32' };
  },
  reference([x], { first, step, size, count }, { shape, data }) {
    const width = x.shape[1];
    for (let row = 0; row < shape[0]; row++) {
      for (let i = 0; i < size * count; i++) {
        const column = first + Math.floor(i / size) * step + (i % size);
        data[row * size * count + i] = x.data[row * width + column];
      }
    }
  },
  lower: ({ first, step, size, count }) => ({
    kernel: 'columns',
    ints: [first, step, size, count],
    floats: [],
  }),
  cost: (_, __, output) => ({ flops: 0, bytes: 2 * bytesOf(output) }),
  gradient({ operands: [x], attributes, gradient }) {
    const width = fixed(x?.shape[1] ?? 0, 'x');
    return [record(gradientRule, [gradient], { ...attributes, width })];
  },
});

/** Some columns of each row, side by side. x: float32 [rows, columns]. @returns float32 [rows, size·count]. */
export function columns(x: Tensor, blocks: ColumnBlocks): Tensor {
  checkOptions('columns', blocks, ['first', 'step', 'size', 'count']);
  return record(rule, [x], blocks);
}
