/** Attention read as a database: a query is compared with every key, and gets a mean of the values. */
import { mismatch } from '../errors.js';
import { checkFloat, checkOptions, checkSignal } from '../graph/options.js';
import { type NdArray, run } from '../graph/run.js';
import { tensor } from '../graph/tensor.js';
import { attention } from '../ops/index.js';
import {
  checkScoreRange,
  checkSumRange,
  dot,
  type Matrix,
  matrixOf,
  type Rows,
  rowOf,
} from './rows.js';

export interface LookupOptions {
  /** Inverse temperature, from 0 (the mean of all values) to Infinity (the value of the best key); default 1. */
  t?: number;
  signal?: AbortSignal | undefined;
}

/**
 * Σ_j ρ_t(q·K)_j v_j for each query q, where ρ_t is softmax with inverse temperature t: scaled dot-product attention (Vaswani et
 * al. 2017, section 3.2.1, where t is 1/√d) on the engine. With t = Infinity it is the limit: the value whose key has the greatest
 * product with the query, and where several have, their mean. That is computed in float64, and products that differ by no more
 * than their rounding there are equal.
 *
 * @param queries [m, d]. @param keys [n, d]. @param values [n, e]. m, n, d and e are at least 1.
 * @returns float32 [m, e]. Throws ERR_ARGUMENT for a t that is negative or NaN, ERR_SHAPE for shapes that do not fit, ERR_INPUT
 * for numbers that are not finite, and scores or sums of values beyond float32.
 */
export async function lookup(
  queries: Rows,
  keys: Rows,
  values: Rows,
  options: LookupOptions = {},
): Promise<NdArray> {
  checkOptions('lookup', options, ['t', 'signal']);
  const { t = 1, signal } = options;
  checkSignal('lookup', signal);
  if (t !== Infinity) checkFloat('lookup: t', t, 0);
  const q = matrixOf(queries, 'lookup: queries');
  const k = matrixOf(keys, 'lookup: keys');
  const v = matrixOf(values, 'lookup: values');
  if (k.shape[1] !== q.shape[1]) {
    const expected = `${q.shape[1]} columns, as the queries have`;
    throw mismatch('ERR_SHAPE', 'lookup: keys', expected, `${k.shape[1]}`);
  }
  if (v.shape[0] !== k.shape[0]) {
    const expected = `${k.shape[0]} rows, one for each key`;
    throw mismatch('ERR_SHAPE', 'lookup: values', expected, `${v.shape[0]}`);
  }
  signal?.throwIfAborted();
  if (t === Infinity) return exactLookup(q, k, v);
  checkScoreRange('lookup', t, q, k);
  checkSumRange('lookup', v);
  const attended = attention(
    tensor(q.data, q.shape),
    tensor(k.data, k.shape),
    tensor(v.data, v.shape),
    {
      heads: 1,
      segments: tensor(Int32Array.of(0, q.shape[0])),
      keySegments: tensor(Int32Array.of(0, k.shape[0])),
      scale: t,
    },
  );
  return run(attended, { signal });
}

function exactLookup(q: Matrix, k: Matrix, v: Matrix): NdArray {
  const [rows, width] = q.shape;
  const [count, columns] = v.shape;
  const data = new Float32Array(rows * columns);
  const lengths = Float64Array.from({ length: count }, (_, j) => length(rowOf(k, j)));
  for (let row = 0; row < rows; row++) {
    const query = rowOf(q, row);
    const scores = Float64Array.from({ length: count }, (_, j) => dot(query, rowOf(k, j)));
    const best = scores.reduce((greatest, score) => Math.max(greatest, score), -Infinity);
    // Products of float32 are exact in float64; only the sum of `width` of them is rounded, by this much at most.
    const rounding = width * 2 ** -53 * length(query);
    const longest = lengths.reduce((most, one) => Math.max(most, one), 0);
    const chosen = [...scores.keys()].filter((j) => scores[j] >= best - 2 * rounding * longest);
    for (let column = 0; column < columns; column++) {
      const sum = chosen.reduce((total, j) => total + v.data[j * columns + column], 0);
      data[row * columns + column] = sum / chosen.length;
    }
  }
  return { data, shape: [rows, columns] };
}

const length = (row: Float32Array): number => Math.sqrt(dot(row, row));
