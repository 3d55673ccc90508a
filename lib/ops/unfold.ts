import { mismatch } from '../errors.js';
import { checkOptions } from '../graph/options.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import { checkOffsets, dims, expectInt32, fixed, float32, offsets } from './operands.js';

const gradientRule = registerOp<{ size: number }>({
  name: 'unfoldGradient',
  operands: ['gradient', 'positions', 'segments'],
  infer([gradient, positions, segments], { size }) {
    const [rows, width] = dims(float32(gradient, 'gradient'), 'gradient', ['rows', 'columns·size']);
    expectInt32(positions, 'positions', [rows]);
    offsets(segments, 'segments');
    return { shape: [rows, fixed(width, 'gradient') / size], dtype: 'float32' };
  },
  reference([gradient, positions, segments], { size }, { shape: [rows, columns], data }) {
    const bounds = checkOffsets(segments, rows, 'segments');
    for (let segment = 0; segment + 1 < bounds.length; segment++) {
      for (let row = bounds[segment]; row < bounds[segment + 1]; row++) {
        for (let other = bounds[segment]; other < bounds[segment + 1]; other++) {
          const place = positions.data[other] - positions.data[row] + (size - 1) / 2;
          if (place < 0 || place >= size) continue;
          for (let i = 0; i < columns; i++) {
            data[other * columns + i] += gradient.data[(row * columns + i) * size + place];
          }
        }
      }
    }
  },
  lower: ({ size }) => ({ kernel: 'unfoldGradient', ints: [size], floats: [] }),
  cost: ([gradient], { size }, output) => ({
    flops: output.shape.reduce((product, dim) => product * dim, size),
    bytes: bytesOf(gradient) + bytesOf(output),
  }),
});

const rule = registerOp<{ size: number }>({
  name: 'unfold',
  operands: ['x', 'positions', 'segments'],
  infer([x, positions, segments], { size }) {
    if (!(Number.isInteger(size) && size > 0 && size % 2 === 1)) {
      throw mismatch('ERR_ARGUMENT', 'size', 'an odd number of rows', `${size}`);
    }
    const [rows, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    expectInt32(positions, 'positions', [rows]);
    offsets(segments, 'segments');
    return { shape: [rows, fixed(columns, 'x') * size], dtype: 'float32' };
  },
  reference([x, positions, segments], { size }, { data }) {
    const [rows, columns] = x.shape;
    const bounds = checkOffsets(segments, rows, 'segments');
    for (let segment = 0; segment + 1 < bounds.length; segment++) {
      for (let row = bounds[segment]; row < bounds[segment + 1]; row++) {
        for (let other = bounds[segment]; other < bounds[segment + 1]; other++) {
          const place = positions.data[other] - positions.data[row] + (size - 1) / 2;
          if (place < 0 || place >= size) continue;
          for (let i = 0; i < columns; i++) {
            data[(row * columns + i) * size + place] = x.data[other * columns + i];
          }
        }
      }
    }
  },
  lower: ({ size }) => ({ kernel: 'unfold', ints: [size], floats: [] }),
  cost: ([x], _, output) => ({ flops: 0, bytes: bytesOf(x) + bytesOf(output) }),
  gradient: ({ operands: [, positions, segments], attributes, gradient }) => [
    record(gradientRule, [gradient, positions, segments], attributes),
  ],
});

/**
 * Each row beside those up to (size − 1)/2 positions before and after it in its segment, zeros where there is none: what a
 * convolution over rows multiplies. x: float32 [rows, columns]; positions: int32 [rows], growing within a segment;
 * segments: int32 [count + 1] row offsets. @returns float32 [rows, columns·size], the places of one column side by side, as
 * a convolution's weight [outputs, columns, size] has them.
 */
export function unfold(
  x: Tensor,
  options: { size: number; positions: Tensor; segments: Tensor },
): Tensor {
  checkOptions('unfold', options, ['size', 'positions', 'segments']);
  const { size, positions, segments } = options;
  return record(rule, [x, positions, segments], { size });
}
