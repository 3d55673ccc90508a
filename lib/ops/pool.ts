import { mismatch } from '../errors.js';
import { checkChoice, checkFloat, checkOptions } from '../graph/options.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import type { Dim } from '../graph/shape.js';
import { record, type Tensor } from '../graph/tensor.js';
import { checkOffsets, dims, expectFloat32, float32, offsets } from './operands.js';

/** Numbered as in native/kernels/README.md. */
export const poolings = ['mean', 'first', 'last', 'max', 'meanSqrtLength', 'weightedMean'] as const;

/**
 * How the rows of a segment become one: their mean, the first (`cls`), the last, the largest of each column, the
 * mean times the square root of the length, or the mean weighted by position 1, 2, 3 …
 */
export type Pooling = (typeof poolings)[number];

const poolGradientRule = registerOp<{ mode: Pooling }>({
  name: 'poolGradient',
  operands: ['x', 'segments', 'gradient'],
  infer([x, segments, gradient]) {
    const [rows, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    offsets(segments, 'segments');
    const [, others] = dims(float32(gradient, 'gradient'), 'gradient', ['segments', 'columns']);
    if (others !== columns)
      throw mismatch('ERR_SHAPE', 'gradient', `${columns} columns`, `${others}`);
    return { shape: [rows, columns], dtype: 'float32' };
  },
  reference([x, segments, gradient], { mode }, { shape, data }) {
    const columns = shape[1];
    const bounds = checkOffsets(segments, shape[0], 'segments');
    for (let segment = 0; segment + 1 < bounds.length; segment++) {
      const begin = bounds[segment];
      const length = bounds[segment + 1] - begin;
      for (let i = 0; i < columns; i++) {
        let chosen = mode === 'last' ? length - 1 : 0;
        if (mode === 'max') {
          const at = (row: number): number => x.data[(begin + row) * columns + i];
          for (let row = 1; row < length; row++) if (at(row) > at(chosen)) chosen = row;
        }
        for (let row = 0; row < length; row++) {
          const weight = {
            mean: 1 / length,
            meanSqrtLength: 1 / Math.sqrt(length),
            weightedMean: (2 * (row + 1)) / (length * (length + 1)),
            first: Number(row === chosen),
            last: Number(row === chosen),
            max: Number(row === chosen),
          }[mode];
          data[(begin + row) * columns + i] = weight * gradient.data[segment * columns + i];
        }
      }
    }
  },
  lower: ({ mode }) => ({ kernel: 'poolGradient', ints: [poolings.indexOf(mode)], floats: [] }),
  cost: ([, , gradient], _, output) => ({
    flops: output.shape.reduce((product, dim) => product * dim, 1),
    bytes: bytesOf(gradient) + bytesOf(output),
  }),
});

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
  gradient: ({ operands: [x, segments], attributes: { mode }, gradient }) => [
    record(poolGradientRule, [x, segments, gradient], { mode }),
  ],
});

/**
 * One row for each segment of a packed batch. x: float32 [rows, columns]; segments: int32 [count + 1] row offsets.
 * An empty segment gives zeros. @returns float32 [count, columns].
 */
export function pool(x: Tensor, segments: Tensor, count: Dim, mode: Pooling): Tensor {
  checkChoice('pool: mode', mode, poolings);
  return record(poolRule, [x, segments], { mode, segments: count });
}

const l2NormalizeGradientRule = registerOp<{ epsilon: number }>({
  name: 'l2NormalizeGradient',
  operands: ['x', 'gradient'],
  infer([x, gradient]) {
    const [rows, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    expectFloat32(gradient, 'gradient', [rows, columns]);
    return { shape: [rows, columns], dtype: 'float32' };
  },
  reference([x, gradient], { epsilon }, { shape, data }) {
    const columns = shape[1];
    for (let at = 0; at < data.length; at += columns) {
      let [square, along] = [0, 0];
      for (let i = at; i < at + columns; i++) {
        square += x.data[i] ** 2;
        along += x.data[i] * gradient.data[i];
      }
      const norm = Math.sqrt(square);
      // Up to epsilon the divisor is a constant.
      const towards = norm > epsilon ? along / square : 0;
      for (let i = at; i < at + columns; i++) {
        data[i] = (gradient.data[i] - x.data[i] * towards) / Math.max(norm, epsilon);
      }
    }
  },
  lower: ({ epsilon }) => ({ kernel: 'l2NormalizeGradient', ints: [], floats: [epsilon] }),
  cost: ([x, gradient], _, output) => ({
    flops: output.shape.reduce((product, dim) => product * dim, 7),
    bytes: bytesOf(x) + bytesOf(gradient) + bytesOf(output),
  }),
});

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
  gradient: ({ operands: [x], attributes, gradient }) => [
    record(l2NormalizeGradientRule, [x, gradient], attributes),
  ],
});

/** x / max(‖x‖₂, epsilon), row by row, as torch.nn.functional.normalize. x: float32 [rows, columns]. */
export function l2Normalize(x: Tensor, options: { epsilon?: number } = {}): Tensor {
  checkOptions('l2Normalize', options, ['epsilon']);
  const { epsilon = 1e-12 } = options;
  return record(l2NormalizeRule, [x], { epsilon });
}
