/** Matrices that callers give: rows of numbers, checked once, kept as float32. */
import { mismatch } from '../errors.js';
import { describeValue } from '../graph/options.js';
import type { NdArray } from '../graph/run.js';

/** [rows, columns]: an `NdArray` of two dimensions, or an array of rows. At least one row and one column, all finite. */
export type Rows = NdArray | readonly (readonly number[] | Float32Array)[];

export interface Matrix extends NdArray {
  shape: [rows: number, columns: number];
}

/** Throws ERR_ARGUMENT for what is no matrix, ERR_SHAPE for an empty or ragged one, ERR_INPUT for numbers that are not finite. */
export function matrixOf(given: Rows, where: string): Matrix {
  const matrix = Array.isArray(given) ? fromRows(given, where) : fromNdArray(given, where);
  const [rows, columns] = matrix.shape;
  if (rows === 0 || columns === 0) {
    throw mismatch('ERR_SHAPE', where, 'at least one row and one column', `[${rows}, ${columns}]`);
  }
  const at = matrix.data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    const place = `${where}[${Math.floor(at / columns)}][${at % columns}]`;
    throw mismatch('ERR_INPUT', place, 'a number in the range of float32', `${matrix.data[at]}`);
  }
  return matrix;
}

function fromRows(rows: readonly (readonly number[] | Float32Array)[], where: string): Matrix {
  const columns = rows[0]?.length ?? 0;
  const data = new Float32Array(rows.length * columns);
  // Array.from: forEach would pass over the holes of a sparse array.
  Array.from(rows).forEach((row, i) => {
    if (!(Array.isArray(row) || row instanceof Float32Array)) {
      throw mismatch('ERR_ARGUMENT', `${where}[${i}]`, 'a row of numbers', describeValue(row));
    }
    if (row.length !== columns) {
      const expected = `${columns} numbers, as the first row has`;
      throw mismatch('ERR_SHAPE', `${where}[${i}]`, expected, `${row.length}`);
    }
    Array.from(row).forEach((value, j) => {
      if (typeof value !== 'number') {
        throw mismatch('ERR_INPUT', `${where}[${i}][${j}]`, 'a number', describeValue(value));
      }
      data[i * columns + j] = value;
    });
  });
  return { data, shape: [rows.length, columns] };
}

/** Throws ERR_ARGUMENT for what is no array of float32, ERR_SHAPE for a shape that is not of whole numbers or does not fit the data. */
export function checkNdArray(
  given: unknown,
  where: string,
  expected = 'an NdArray of float32',
): NdArray & { data: Float32Array } {
  const { data, shape } = (given ?? {}) as Partial<NdArray>;
  if (!(data instanceof Float32Array && Array.isArray(shape))) {
    throw mismatch('ERR_ARGUMENT', where, expected, describeValue(given));
  }
  const isWhole = Array.from(shape).every((dim) => Number.isInteger(dim) && dim >= 0);
  if (!isWhole || shape.reduce((product, dim) => product * dim, 1) !== data.length) {
    const found = `[${shape.map(describeValue).join(', ')}] and ${data.length} numbers`;
    throw mismatch('ERR_SHAPE', where, 'a shape of whole numbers that fits the data', found);
  }
  return { data, shape };
}

function fromNdArray(given: unknown, where: string): Matrix {
  const { data, shape } = checkNdArray(given, where, 'rows of numbers, or an NdArray');
  const [rows = 0, columns = 0] = shape;
  if (shape.length !== 2) {
    const found = `[${shape.join(', ')}] and ${data.length} numbers`;
    throw mismatch('ERR_SHAPE', where, 'a shape [rows, columns] that fits the data', found);
  }
  return { data, shape: [rows, columns] };
}

/** Row i, without a copy. */
export const rowOf = ({ data, shape: [, columns] }: Matrix, i: number): Float32Array =>
  data.subarray(i * columns, (i + 1) * columns);

/** Σ a_i·b_i in float64. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The greatest Euclidean length of a row. */
export function longestRow(matrix: Matrix): number {
  let longest = 0;
  for (let i = 0; i < matrix.shape[0]; i++) {
    const row = rowOf(matrix, i);
    longest = Math.max(longest, Math.sqrt(dot(row, row)));
  }
  return longest;
}

/**
 * Throws ERR_INPUT where q·k or factor·q·k may leave the range of float32, in which the engine computes scores: softmax would
 * have no greatest one to go by.
 */
export function checkScoreRange(where: string, factor: number, q: Matrix, k: Matrix): void {
  checkRange(where, 'scores', Math.max(1, factor) * longestRow(q) * longestRow(k));
}

/** Throws ERR_INPUT where a sum of so many numbers as these may leave the range of float32. */
export function checkSumRange(where: string, values: Matrix): void {
  checkRange(where, 'sums of values', values.shape[0] * longestRow(values));
}

function checkRange(where: string, what: string, most: number): void {
  if (most < 2 ** 127) return;
  const found = `up to ${most.toPrecision(3)}; make the vectors shorter`;
  throw mismatch('ERR_INPUT', where, `${what} in the range of float32`, found);
}
