/** Where particles start, and matrices of random numbers. */
import { philox } from '../../graph/philox.js';
import { normalize } from './dormand_prince.js';

/** Streams of Philox, so that the same seed gives independent numbers for each purpose. */
export const streams = { uniform: 1, orthogonal: 2, query: 3, key: 4, value: 5 } as const;

/** Independent standard normal numbers in float64 (Box & Muller 1958), the same on every machine. */
export function normalNumbers(count: number, seed: number, stream: number): Float64Array {
  const result = new Float64Array(count);
  for (let block = 0; block * 2 < count; block++) {
    const [a, b, c, d] = philox(block, stream, seed);
    // 53 bits each; the first never 0
    const u = ((a >>> 5) * 2 ** 26 + (b >>> 6) + 0.5) / 2 ** 53;
    const v = ((c >>> 5) * 2 ** 26 + (d >>> 6)) / 2 ** 53;
    const radius = Math.sqrt(-2 * Math.log(u));
    result[2 * block] = radius * Math.cos(2 * Math.PI * v);
    if (2 * block + 1 < count) result[2 * block + 1] = radius * Math.sin(2 * Math.PI * v);
  }
  return result;
}

/** n independent points of the uniform distribution on S^{d−1}: float64 [n·d]. */
export function uniformPoints(n: number, d: number, seed: number): Float64Array {
  const x = normalNumbers(n * d, seed, streams.uniform);
  normalize(x, d);
  return x;
}

/** n ≤ d orthogonal unit vectors: the first of the standard basis, seen in a random mirror. Float64 [n·d]. */
export function orthogonalPoints(n: number, d: number, seed: number): Float64Array {
  const mirror = normalNumbers(d, seed, streams.orthogonal);
  normalize(mirror, d);
  const x = new Float64Array(n * d);
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < d; i++) x[row * d + i] = -2 * mirror[row] * mirror[i];
    x[row * d + row] += 1;
  }
  return x;
}
