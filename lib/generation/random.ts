import { philox } from '../graph/philox.js';

/**
 * Uniform numbers in (0, 1) by Philox (Salmon et al. 2011), with 53 bits: a function of seed, stream and counter, so that a
 * sequence draws the same numbers whatever else is decoded beside it.
 */
export function uniform(seed: number, stream: number, counter: number): number {
  const [high, low] = philox(counter, stream, seed);
  return ((high >>> 5) * 2 ** 26 + (low >>> 6) + 0.5) / 2 ** 53;
}
