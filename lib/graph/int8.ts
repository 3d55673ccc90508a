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

/** The numbers that are left of a weight, float32 [rows, columns], when each row is int8 within ± its largest magnitude. */
export function roundWeightsToInt8(values: Float64Array, columns: number): Float64Array {
  return roundRows(values, columns, (low, high) => {
    const largest = Math.max(-low, high);
    const factor = Math.fround(127 / largest);
    const scale = Math.fround(largest / 127);
    return { width: largest, round: (x) => roundToEven(Math.fround(x * factor)) * scale };
  });
}

/** The same of activations, where each row uses the whole range from min(x, 0) to max(x, 0). */
export function roundRowsToInt8(values: Float64Array, columns: number): Float64Array {
  return roundRows(values, columns, (low, high) => {
    const width = Math.fround(high - low);
    const factor = Math.fround(255 / width);
    const scale = Math.fround(width / 255);
    const zero = roundToEven(Math.fround(-low * factor)) - 128;
    const round = (x: number): number => {
      const value = roundToEven(Math.fround(x * factor)) + zero;
      return (Math.min(127, Math.max(-128, value)) - zero) * scale;
    };
    return { width, round };
  });
}

type Rounding = { width: number; round: (x: number) => number };

function roundRows(
  values: Float64Array,
  columns: number,
  roundingOf: (low: number, high: number) => Rounding,
): Float64Array {
  const rounded = new Float64Array(values.length);
  for (let begin = 0; begin < values.length; begin += columns) {
    const row = values.subarray(begin, begin + columns).map(Math.fround);
    const low = row.reduce((least, value) => Math.min(least, value), 0);
    const high = row.reduce((most, value) => Math.max(most, value), 0);
    const { width, round } = roundingOf(low, high);
    if (!Number.isFinite(width)) rounded.fill(Number.NaN, begin, begin + columns);
    else if (width >= int8Smallest) rounded.set(row.map(round), begin);
  }
  return rounded;
}

export function roundToEven(value: number): number {
  const near = Math.round(value);
  return Math.abs(value % 1) === 0.5 && near % 2 !== 0 ? near - 1 : near;
}
