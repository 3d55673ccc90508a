/**
 * int8 tensors as native/kernels/quantized.h defines them: rows of int8, each with a scale and a zero. Everything is
 * computed in float32, so that both backends choose the same values.
 */

/** Below this, the range of a row or a block counts as 0. */
export const int8Smallest = 2 ** -100;

/** Bytes of an int8 tensor. */
export function int8Bytes(rows: number, columns: number): number {
  return Math.ceil((rows * columns) / 4) * 4 + 8 * rows;
}

const limits = [127, 116, 106, 97, 88, 80, 72, 64];
const pairLimit = 128;
/** Sums over a row are taken in so many parts, as the engine's vectors take them. */
const parts = 8;

/**
 * The numbers that are left of a weight, float32 [rows, columns], when it is int8: each row at the limit of which its values are
 * nearest to it, and no two neighbours together beyond 128.
 */
export function roundWeightsToInt8(values: Float64Array, columns: number): Float64Array {
  return roundRows(values, columns, (low, high, row) => {
    const largest = Math.max(-low, high);
    const trials: Trial[] = [];
    for (const limit of limits) {
      const trial = roundPairs(row, Math.fround(limit / largest));
      trials.push({ ...trial, limit, error: Math.fround(trial.squares / (limit * limit)) });
      if (trial.clipped === 0) break;
    }
    const best = trials.reduce((least, trial) => (trial.error < least.error ? trial : least));
    const scale = Math.fround(largest / best.limit);
    return { width: largest, rounded: best.rounded.map((value) => value * scale) };
  });
}

type Rounded = { rounded: Float64Array; squares: number; clipped: number };
type Trial = Rounded & { limit: number; error: number };

function roundPairs(row: Float64Array, factor: number): Rounded {
  const { fround } = Math;
  const rounded = new Float64Array(row.length);
  const squares = new Float32Array(parts);
  const clipped = new Float32Array(parts);
  for (let i = 0; i < row.length; i += 2) {
    const part = (i / 2) % parts;
    const [a, b] = [fround((row[i] ?? 0) * factor), fround((row[i + 1] ?? 0) * factor)];
    const [left, right] = [roundToEven(a), roundToEven(b)];
    const beyond = left + right - Math.min(pairLimit, Math.max(-pairLimit, left + right));
    const half = roundToEven(beyond / 2);
    rounded[i] = left - half;
    if (i + 1 < row.length) rounded[i + 1] = right - (beyond - half);
    const [p, q] = [fround(left - half - a), fround(right - (beyond - half) - b)];
    squares[part] += fround(fround(p * p) + fround(q * q));
    clipped[part] += beyond * beyond;
  }
  const sum = (lanes: Float32Array): number => lanes.reduce((all, lane) => fround(all + lane), 0);
  return { rounded, squares: sum(squares), clipped: sum(clipped) };
}

/** The same of a cached key or value, which is within ± its largest magnitude. */
export function roundCachedToInt8(values: Float64Array): Float64Array {
  return roundRows(values, values.length, (low, high, row) => {
    const largest = Math.max(-low, high);
    const factor = Math.fround(127 / largest);
    const scale = Math.fround(largest / 127);
    const rounded = row.map((x) => roundToEven(Math.fround(x * factor)) * scale);
    return { width: largest, rounded };
  });
}

/** The same of activations, where each row uses the whole range from min(x, 0) to max(x, 0). */
export function roundRowsToInt8(values: Float64Array, columns: number): Float64Array {
  return roundRows(values, columns, (low, high, row) => {
    const width = Math.fround(high - low);
    const factor = Math.fround(255 / width);
    const scale = Math.fround(width / 255);
    const zero = roundToEven(Math.fround(-low * factor)) - 128;
    const round = (x: number): number => {
      const value = roundToEven(Math.fround(x * factor)) + zero;
      return (Math.min(127, Math.max(-128, value)) - zero) * scale;
    };
    return { width, rounded: row.map(round) };
  });
}

/** `rounded` is of use where the width is finite and not too small. */
type Rounding = { width: number; rounded: Float64Array };

function roundRows(
  values: Float64Array,
  columns: number,
  rounding: (low: number, high: number, row: Float64Array) => Rounding,
): Float64Array {
  const rounded = new Float64Array(values.length);
  for (let begin = 0; begin < values.length; begin += columns) {
    const row = values.subarray(begin, begin + columns).map(Math.fround);
    const low = row.reduce((least, value) => Math.min(least, value), 0);
    const high = row.reduce((most, value) => Math.max(most, value), 0);
    const found = rounding(low, high, row);
    if (!Number.isFinite(found.width)) rounded.fill(Number.NaN, begin, begin + columns);
    else if (found.width >= int8Smallest) rounded.set(found.rounded, begin);
  }
  return rounded;
}

export function roundToEven(value: number): number {
  const near = Math.round(value);
  return Math.abs(value % 1) === 0.5 && near % 2 !== 0 ? near - 1 : near;
}
