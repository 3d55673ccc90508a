/** Beam search that draws its continuations. */
import { uniform } from './random.js';
import type { ScoreRow } from './score_row.js';
import { BestEntries } from './selection.js';

export interface BeamDraw {
  readonly seed: number;
}

/** Philox streams below are the returned sequences'. */
const stream = 2 ** 32 - 1;

/**
 * Continuations drawn without replacement, by the probabilities of the beams' scores: the largest of score plus Gumbel
 * noise are such a draw, in its order (Kool et al. 2019, section 2).
 */
export function drawBeams(
  given: readonly ScoreRow[],
  running: readonly { readonly score: number }[],
  keep: number,
  { seed }: BeamDraw,
  step: number,
): { score: number; beam: number; id: number }[] {
  const rows = given.map((row) => row.whole());
  const vocabSize = rows[0]!.length;
  const total = rows.length * vocabSize;
  const best = new BestEntries(keep);
  const scoreOf = (index: number): number => {
    const beam = Math.floor(index / vocabSize);
    return Math.fround(rows[beam]![index % vocabSize]! + running[beam]!.score);
  };
  for (let index = 0; index < total; index++) {
    const score = scoreOf(index);
    if (score === -Infinity) continue;
    const noise = -Math.log(-Math.log(uniform(seed, stream, step * total + index)));
    best.offer(score + noise, index);
  }
  return best.sorted().map(({ index }) => ({
    score: scoreOf(index),
    beam: Math.floor(index / vocabSize),
    id: index % vocabSize,
  }));
}
