import { HeddleError } from '../errors.js';
import type { ScoreRow } from './score_row.js';
import { BestEntries } from './selection.js';

/** A token and the logarithm of its probability, as the model gives it: before penalties, temperature and filters. */
export interface TokenLogprob {
  readonly id: number;
  readonly logprob: number;
  /** The most probable tokens at this place, best first. */
  readonly alternatives: readonly { readonly id: number; readonly logprob: number }[];
}

/**
 * Throws ERR_ENGINE for logits that are no distribution: NaN, +∞, or −∞ all of them.
 * @returns the largest.
 */
export function checkLogits(logits: Float32Array, position: number): number {
  let largest = -Infinity;
  for (let id = 0; id < logits.length; id++) {
    const value = logits[id]!;
    // False for NaN too.
    if (!(value < Infinity)) throw badLogits(`${value} for id ${id}`, position);
    if (value > largest) largest = value;
  }
  if (largest === -Infinity) throw badLogits('-Infinity for every id', position);
  return largest;
}

/** As `checkLogits`, where of a row only the highest is known. */
export function checkBest(id: number, logit: number, position: number): void {
  if (!(logit < Infinity)) throw badLogits(`${logit} for id ${id}`, position);
  if (logit === -Infinity) throw badLogits('-Infinity for every id', position);
}

function badLogits(found: string, position: number): HeddleError {
  const where = `logits after ${position} ids`;
  const expected = 'finite numbers';
  const mend =
    'the weights hold such numbers, or activations overflow; try another dtype or check the checkpoint';
  return new HeddleError('ERR_ENGINE', `${where}: expected ${expected}, found ${found}; ${mend}`, {
    where,
    expected,
    found,
  });
}

/** log Σ exp(logits). */
export function logSumExp(logits: Float32Array, largest: number): number {
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += Math.exp(logits[id]! - largest);
  return largest + Math.log(sum);
}

/** @param count how many alternatives. */
export function alternativesOf(
  row: ScoreRow,
  normalizer: number,
  count: number,
): TokenLogprob['alternatives'] {
  if (count === 0) return [];
  const best = new BestEntries(Math.min(count, row.length));
  const least = row.leastOfBest(Math.min(count, row.length));
  row.forEachRange(
    (score) => score >= least,
    (begin, end) => {
      for (let id = begin; id < end; id++) {
        if (row.values[id]! >= least) best.offer(row.values[id]!, id);
      }
    },
  );
  return best.sorted().map(({ score, index }) => ({ id: index, logprob: score - normalizer }));
}
