/**
 * Tensors in blocks of 32 along a row, as native/kernels/quantized_blocks.h defines them: int4 weights with a scale and a
 * minimum for each block, and int8 activations with a scale. Computed in the same arithmetic as there, so that both
 * backends choose the same values.
 */
import { bitsOfFloat16, float16FromBits } from './half_precision.js';
import { int8Smallest, roundToEven } from './int8.js';

const blockValues = 32;
const int4BlockBytes = 20;
const int8BlockBytes = 40;
const fits = 2;

/** Bytes of an int4 tensor, or of int8 in blocks. */
export function blocksBytes(
  dtype: 'int4' | 'int8Blocks',
  [rows = 1, columns = 1]: readonly number[],
): number {
  const bytes = dtype === 'int4' ? int4BlockBytes : int8BlockBytes;
  return rows * Math.ceil(columns / blockValues) * bytes;
}

/** The numbers that are left of a weight, float32 [rows, columns], as int4. */
export function roundWeightsToInt4(values: Float64Array, columns: number): Float64Array {
  return roundBlocks(values, columns, roundWeights);
}

/** The same of activations as int8 in blocks. */
export function roundRowsToInt8Blocks(values: Float64Array, columns: number): Float64Array {
  return roundBlocks(values, columns, (block) => {
    const largest = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (!Number.isFinite(largest)) return block.fill(Number.NaN);
    if (largest < int8Smallest) return block.fill(0);
    const factor = Math.fround(127 / largest);
    const scale = Math.fround(largest / 127);
    return block.map((value) => roundToEven(Math.fround(value * factor)) * scale);
  });
}

function roundBlocks(
  values: Float64Array,
  columns: number,
  round: (block: Float64Array) => Float64Array,
): Float64Array {
  const rounded = new Float64Array(values.length);
  for (let row = 0; row < values.length; row += columns) {
    for (let first = 0; first < columns; first += blockValues) {
      const end = row + Math.min(first + blockValues, columns);
      rounded.set(round(values.slice(row + first, end).map(Math.fround)), row + first);
    }
  }
  return rounded;
}

function roundWeights(weights: Float64Array): Float64Array {
  if (!weights.every(Number.isFinite)) return weights.fill(Number.NaN);
  const low = weights.reduce((least, weight) => Math.min(least, weight));
  const high = weights.reduce((most, weight) => Math.max(most, weight));
  let fit = choose(weights, (high - low) / 15, low);
  for (let n = 0; n < fits; n++) {
    const line = fitLine(weights, fit.values);
    if (!line) break;
    fit = choose(weights, line.scale, line.minimum);
  }
  return fit.values.map((value) => value * fit.scale + fit.minimum);
}

/** The values nearest to the weights in a range, which is rounded to float16 first. */
function choose(
  weights: Float64Array,
  exactScale: number,
  exactMinimum: number,
): { scale: number; minimum: number; values: Float64Array } {
  const scale = float16FromBits(bitsOfFloat16(exactScale));
  const minimum = float16FromBits(bitsOfFloat16(exactMinimum));
  if (!Number.isFinite(scale) || !Number.isFinite(minimum)) {
    return { scale: Number.NaN, minimum: Number.NaN, values: weights.map(() => 0) };
  }
  const factor = scale > 0 ? 1 / scale : 0;
  const values = weights.map((weight) =>
    Math.min(15, Math.max(0, roundToEven((weight - minimum) * factor))),
  );
  return { scale, minimum, values };
}

/** The line through (value, weight) of the least squared error, summed in order; none where all values are one. */
function fitLine(
  weights: Float64Array,
  values: Float64Array,
): { scale: number; minimum: number } | undefined {
  const count = weights.length;
  const sum = (term: (i: number) => number): number => {
    let total = 0;
    for (let i = 0; i < count; i++) total += term(i);
    return total;
  };
  const ofValues = sum((i) => values[i]!);
  const ofWeights = sum((i) => weights[i]!);
  const spread = count * sum((i) => values[i]! ** 2) - ofValues * ofValues;
  if (spread === 0) return undefined;
  const scale = (count * sum((i) => values[i]! * weights[i]!) - ofValues * ofWeights) / spread;
  return { scale, minimum: (ofWeights - scale * ofValues) / count };
}
