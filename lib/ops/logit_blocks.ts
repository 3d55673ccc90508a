import { mismatch } from '../errors.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import { dims, expectFloat32, fixed, float32 } from './operands.js';

/** Columns of a block: about as many as there are blocks to be looked through of a usual vocabulary, and those looked into. */
export const blockColumns = 128;

/** Of a block's sums: how far they may be from their value, as a share of it. */
export const blockError = 2 ** -19;

const rule = registerOp<Record<string, never>>({
  name: 'logitBlocks',
  operands: ['x', 'temperatures'],
  infer([x, temperatures]) {
    const [rows, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    expectFloat32(temperatures, 'temperatures', [rows]);
    const width = fixed(columns, 'columns');
    if (width < 1) throw mismatch('ERR_SHAPE', 'x', 'at least 1 column', '0');
    return { shape: [rows, width + 3 * Math.ceil(width / blockColumns)], dtype: 'float32' };
  },
  reference([x, temperatures], _, { shape, data }) {
    const columns = x.shape[1];
    for (let row = 0; row < shape[0]; row++) {
      // As float32 has them: so they are given beside the sums, which must be theirs.
      const values = Float32Array.from(x.data.subarray(row * columns, (row + 1) * columns));
      const t = temperatures.data[row];
      const { greatest, sums, scaledSums } = logitRow(
        data.subarray(row * shape[1], (row + 1) * shape[1]),
        columns,
      );
      data.set(values, row * shape[1]);
      for (let block = 0; block < greatest.length; block++) {
        const own = values.subarray(block * blockColumns, (block + 1) * blockColumns);
        greatest[block] = Math.max(-Infinity, ...own.filter((value) => !Number.isNaN(value)));
        sums[block] = sumOfWeights(own, greatest[block], 1);
        scaledSums[block] = sumOfWeights(own, greatest[block], t);
      }
    }
  },
  lower: () => ({ kernel: 'logitBlocks', ints: [], floats: [] }),
  cost: ([x, temperatures], _, output) => ({
    flops: x.shape.reduce((product, dim) => product * dim, 32),
    bytes: bytesOf(x) + bytesOf(temperatures) + bytesOf(output),
  }),
});

/** Σ exp(x/t − greatest/t); of quotients as float32 has them, as which scores are compared. */
function sumOfWeights(x: Float32Array, greatest: number, t: number): number {
  const reference = greatest === -Infinity ? 0 : Math.fround(greatest / t);
  return x.reduce((sum, value) => sum + Math.exp(Math.fround(value / t) - reference), 0);
}

/** What `logitBlocks` has of a row: views of it. */
export interface LogitRow<T extends Float32Array | Float64Array> {
  readonly values: T;
  readonly greatest: T;
  readonly sums: T;
  readonly scaledSums: T;
}

/** Takes a row of `logitBlocks` apart. @param columns of x. */
export function logitRow<T extends Float32Array | Float64Array>(
  row: T,
  columns: number,
): LogitRow<T> {
  const blocks = Math.ceil(columns / blockColumns);
  const part = (i: number): T =>
    row.subarray(columns + i * blocks, columns + (i + 1) * blocks) as T;
  return {
    values: row.subarray(0, columns) as T,
    greatest: part(0),
    sums: part(1),
    scaledSums: part(2),
  };
}

/**
 * Each row as it is, and after it what a draw from softmax(x/t) needs so as not to look at all of it. Of each 128 columns in
 * turn, B in all: their greatest g; after those B numbers the sums Σ exp(x − g); then Σ exp(x/t − g/t). A sum is NaN where one of
 * its columns is NaN or +∞, and 0 where all are −∞. x: float32 [rows, columns]; temperatures: float32 [rows], above 0.
 * @returns float32 [rows, columns + 3·B].
 */
export const logitBlocks = (x: Tensor, temperatures: Tensor): Tensor =>
  record(rule, [x, temperatures], {});
