import { checkChoice, checkFloat, checkOptions } from '../graph/options.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import type { Dim } from '../graph/shape.js';
import { record, type Tensor } from '../graph/tensor.js';
import { checkOffsets, dims, float32, offsets } from './operands.js';

/** Numbered as in native/kernels/README.md. */
export const poolings = ['mean', 'first', 'last', 'max', 'meanSqrtLength', 'weightedMean'] as const;

/**
 * How the rows of a segment become one: their mean, the first (`cls`), the last, the largest of each column, the
 * mean times the square root of the length, or the mean weighted by position 1, 2, 3 …
 */
export type Pooling = (typeof poolings)[number];

const poolRule = registerOp<{ mode: Pooling; segments: Dim }>({
  name: 'pool',
  operands: ['x', 'segments'],
  infer([x, segments], attributes) {
    const [, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    offsets(segments, 'segments');
    return { shape: [attributes.segments, columns], dtype: 'float32' };
  },
  reference([x, segments], { mode }, { shape, data }) {
    const columns = shape[1];
    const bounds = checkOffsets(segments, x.shape[0], 'segments');
    for (let segment = 0; segment + 1 < bounds.length; segment++) {
      const begin = bounds[segment];
      const length = bounds[segment + 1] - begin;
      if (length === 0) continue;
      for (let i = 0; i < columns; i++) {
        const at = (row: number): number => x.data[(begin + row) * columns + i];
        let result = mode === 'last' ? at(length - 1) : at(0);
        if (mode === 'max') {
          for (let row = 1; row < length; row++) result = Math.max(result, at(row));
        } else if (mode === 'mean' || mode === 'meanSqrtLength' || mode === 'weightedMean') {
          let sum = 0;
          for (let row = 0; row < length; row++) {
            sum += at(row) * (mode === 'weightedMean' ? row + 1 : 1);
          }
          const weightedBy = {
            mean: length,
            meanSqrtLength: Math.sqrt(length),
            weightedMean: (length * (length + 1)) / 2,
          };
          result = sum / weightedBy[mode];
        }
        data[segment * columns + i] = result;
      }
    }
  },
  lower: ({ mode }) => ({ kernel: 'pool', ints: [poolings.indexOf(mode)], floats: [] }),
  cost: ([x], _, output) => ({
    flops: x.shape.reduce((product, dim) => product * dim, 1),
    bytes: bytesOf(x) + bytesOf(output),
  }),
});

/**
 * One row for each segment of a packed batch. x: float32 [rows, columns]; segments: int32 [count + 1] row offsets.
 * An empty segment gives zeros. @returns float32 [count, columns].
 */
export function pool(x: Tensor, segments: Tensor, count: Dim, mode: Pooling): Tensor {
  checkChoice('pool: mode', mode, poolings);
  return record(poolRule, [x, segments], { mode, segments: count });
}

const l2NormalizeRule = registerOp<{ epsilon: number }>({
  name: 'l2Normalize',
  operands: ['x'],
  infer([x], { epsilon }) {
    checkFloat('epsilon', epsilon, 0);
    const [rows, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    return { shape: [rows, columns], dtype: 'float32' };
  },
  reference([x], { epsilon }, { shape, data }) {
    const [rows, columns] = shape;
    for (let row = 0; row < rows; row++) {
      const values = x.data.subarray(row * columns, (row + 1) * columns);
      let square = 0;
      for (const value of values) square += value * value;
      const norm = Math.max(Math.sqrt(square), epsilon);
      values.forEach((value, i) => {
        data[row * columns + i] = value / norm;
      });
    }
  },
  lower: ({ epsilon }) => ({ kernel: 'l2Normalize', ints: [], floats: [epsilon] }),
  cost: ([x], _, output) => ({
    flops: output.shape.reduce((product, dim) => product * dim, 3),
    bytes: bytesOf(x) + bytesOf(output),
  }),
});

/** x / max(‖x‖₂, epsilon), row by row, as torch.nn.functional.normalize. x: float32 [rows, columns]. */
export function l2Normalize(x: Tensor, options: { epsilon?: number } = {}): Tensor {
  checkOptions('l2Normalize', options, ['epsilon']);
  const { epsilon = 1e-12 } = options;
  return record(l2NormalizeRule, [x], { epsilon });
}
