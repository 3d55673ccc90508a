/**
 * float16 (IEEE 754 binary16) and bfloat16 (the upper half of a float32) as bits, in plain numbers.
 * Rounding is to nearest, ties to even, from the number's float32: a float64 is rounded to that first,
 * as the native side does.
 */
const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

export function bfloat16FromBits(half: number): number {
  bits[0] = half << 16;
  return float[0]!;
}

export function bitsOfBfloat16(value: number): number {
  float[0] = value;
  const word = bits[0]!;
  // A NaN whose payload is all in the lower half would round to an infinity: it is made quiet instead.
  if (Number.isNaN(value)) return (word >>> 16) | 0x40;
  // Adding just under half a unit, or half for an odd result, carries when it has to.
  return ((word + 0x7fff + ((word >>> 16) & 1)) >>> 16) & 0xffff;
}

export function float16FromBits(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

export function bitsOfFloat16(value: number): number {
  float[0] = value;
  const word = bits[0]!;
  const sign = (word >>> 16) & 0x8000;
  const magnitude = Math.abs(float[0]!);
  if (Number.isNaN(magnitude)) return sign | 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00; // half a unit above the largest, 65504
  if (magnitude < 2 ** -14) return sign | roundToEven(magnitude * 2 ** 24); // subnormal, or its carry
  const exponent = ((word >>> 23) & 0xff) - 127;
  // From 1024 to 2048, whose carry is the next exponent.
  const significand = roundToEven(magnitude * 2 ** (10 - exponent));
  return sign | (((exponent + 15) << 10) + significand - 1024);
}

/** Exact for non-negative numbers below 2^52 whose halves are representable. */
function roundToEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  if (rest !== 0.5) return rest < 0.5 ? down : down + 1;
  return down % 2 === 0 ? down : down + 1;
}

export const roundToBfloat16 = (value: number): number => bfloat16FromBits(bitsOfBfloat16(value));

export const roundToFloat16 = (value: number): number => float16FromBits(bitsOfFloat16(value));
