/** Functions that @huggingface/transformers has beside its pipelines, under its names: for programs that compare vectors with them. */
import { mismatch } from '../errors.js';
import { softmax as softmaxOf } from './logits.js';
import { ResultTensor, type Tensor } from './result_tensor.js';

type Vector = readonly number[] | Float32Array;

/** @throws ERR_SHAPE for vectors of different lengths. */
export function dot(a: Vector, b: Vector): number {
  if (a.length !== b.length) {
    throw mismatch('ERR_SHAPE', 'dot', `two vectors of ${a.length} numbers`, `${b.length}`);
  }
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The cosine of the angle between two vectors. @throws ERR_SHAPE as `dot`. */
export function cos_sim(a: Vector, b: Vector): number {
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** In the kind of array that was given. */
export function softmax<V extends number[] | Float32Array>(values: V): V {
  const scores = softmaxOf(values);
  return (Array.isArray(values) ? scores : Float32Array.from(scores)) as V;
}

/**
 * Rows with mean 0 and variance 1, as before the cut of Matryoshka embeddings.
 * @param x [rows, width]. @param shape [width].
 * @throws ERR_SHAPE.
 */
export function layer_norm(
  x: ResultTensor,
  shape: readonly number[],
  { eps = 1e-5 }: { eps?: number } = {},
): ResultTensor {
  const [rows, width] = x.dims;
  if (x.dims.length !== 2 || shape.length !== 1 || shape[0] !== width) {
    throw mismatch(
      'ERR_SHAPE',
      'layer_norm',
      '[rows, width] and [width]',
      `[${x.dims}], [${shape}]`,
    );
  }
  const data = new Float32Array(x.size);
  for (let row = 0; row < rows; row++) {
    const values = x.data.subarray(row * width, (row + 1) * width);
    const mean = values.reduce((sum, value) => sum + value, 0) / width;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
    data.set(
      values.map((value) => (value - mean) / Math.sqrt(variance + eps)),
      row * width,
    );
  }
  return ResultTensor.of(data, x.dims);
}

/**
 * Means of the vectors of a text's tokens that count.
 * @param hidden [batch, length, width]. @param mask [batch, length], 1 where a token counts.
 * @returns [batch, width]; 0 where no token counts. @throws ERR_SHAPE.
 */
export function mean_pooling(hidden: ResultTensor, mask: Tensor): ResultTensor {
  const [batch, length, width] = hidden.dims;
  if (hidden.dims.length !== 3 || `${mask.dims}` !== `${[batch, length]}`) {
    const expected = '[batch, length, width] and [batch, length]';
    throw mismatch('ERR_SHAPE', 'mean_pooling', expected, `[${hidden.dims}] and [${mask.dims}]`);
  }
  const data = new Float32Array(batch * width);
  for (let row = 0; row < batch; row++) {
    const sums = new Float64Array(width);
    let count = 0;
    for (let token = row * length; token < (row + 1) * length; token++) {
      const weight = Number(mask.data[token]);
      count += weight;
      for (let i = 0; i < width; i++) sums[i] += weight * hidden.data[token * width + i];
    }
    if (count > 0)
      data.set(
        sums.map((sum) => sum / count),
        row * width,
      );
  }
  return ResultTensor.of(data, [batch, width]);
}

/** @param a [m, k]. @param b [k, n]. @returns [m, n]. @throws ERR_SHAPE. */
export async function matmul(a: ResultTensor, b: ResultTensor): Promise<ResultTensor> {
  const [m, k] = a.dims;
  const n = b.dims[1];
  if (a.dims.length !== 2 || b.dims.length !== 2 || b.dims[0] !== k) {
    throw mismatch('ERR_SHAPE', 'matmul', '[m, k] and [k, n]', `[${a.dims}] and [${b.dims}]`);
  }
  const [left, right] = [a.data, b.data];
  const data = Float32Array.from({ length: m * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n) * k, i % n];
    let sum = 0;
    for (let j = 0; j < k; j++) sum += left[row + j] * right[j * n + column];
    return sum;
  });
  return ResultTensor.of(data, [m, n]);
}
