/**
 * Beam search as Hugging Face's `generate` does it (transformers 5): which beams go on, which have ended, and when no
 * better end is to be expected. Knows scores and ids alone; what a model keeps of each beam is the caller's, who is told
 * which beam each new one comes from. Scores are rounded to float32 where the reference has tensors of it.
 */
import { type BeamDraw, drawBeams } from './beam_draw.js';
import type { ScoreRow } from './score_row.js';
import { BestEntries } from './selection.js';

export interface BeamSettings {
  readonly numBeams: number;
  /** The score of an end is the sum of its log-probabilities over its new ids to this power. */
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | 'never';
  readonly eosTokenIds: readonly number[];
  /** Ids in all at which every beam ends. */
  readonly maxLength: number;
  /** How continuations are drawn instead of taken from the best; undefined: they are not. */
  readonly draw?: BeamDraw | undefined;
  /** Whether a sequence ends for another reason than its last id or its length. */
  readonly isEnd?: ((ids: readonly number[]) => boolean) | undefined;
}

export interface Beam {
  /** Of prompt and answer. */
  readonly ids: readonly number[];
  /** Running: the sum of log-probabilities; ended: that over its length to the power of the penalty. */
  readonly score: number;
}

/** A beam that goes on: with `id`, after what the beam `parent` had. */
export interface BeamStep {
  readonly parent: number;
  readonly id: number;
}

/** What a beam has that must never be chosen, in the reference too. */
const worst = -1e9;

export class BeamSearch {
  /** As many as `numBeams`, best first. */
  running: Beam[];
  private ended: (Beam & { readonly isReal: boolean })[];
  private canImprove = true;
  private isDone = false;

  constructor(
    private readonly prompt: readonly number[],
    private readonly settings: BeamSettings,
  ) {
    const { numBeams } = settings;
    // All beams begin alike: only the first counts, or all would stay alike.
    this.running = Array.from({ length: numBeams }, (_, i) => ({
      ids: prompt,
      score: i === 0 ? 0 : worst,
    }));
    this.ended = Array.from({ length: numBeams }, () => ({
      ids: prompt,
      score: worst,
      isReal: false,
    }));
  }

  get done(): boolean {
    return this.isDone;
  }

  /**
   * One step.
   * @param rows for each running beam the log-probabilities of what may follow, after processors; −∞ for what may not.
   * @returns the beams that go on, in the order of `running`; undefined where nothing may follow any beam.
   */
  advance(rows: readonly ScoreRow[]): BeamStep[] | undefined {
    const { settings } = this;
    const { numBeams, lengthPenalty, earlyStopping } = settings;
    const keep = Math.max(2, 1 + settings.eosTokenIds.length) * numBeams;
    const best = settings.draw
      ? drawBeams(rows, this.running, keep, settings.draw, this.length - this.prompt.length)
      : this.bestContinuations(rows, keep);
    if (best.length === 0 || best.every(({ score }) => score === -Infinity)) return undefined;
    const next = best.map(({ score, beam, id }) => {
      const ids = [...this.running[beam]!.ids, id];
      return { score, parent: beam, id, ids, ends: this.hasEnded(ids, id) };
    });

    const newLength = this.length + 1 - this.prompt.length;
    const divisor = Math.fround(newLength ** lengthPenalty);
    const isFull = earlyStopping === true && this.ended.every(({ isReal }) => isReal);
    const ends = next.map(({ score, ids, ends }, rank) => {
      const counts = ends && rank < numBeams;
      let final = Math.fround(score / divisor);
      if (isFull) final = Math.fround(final + worst);
      if (!this.canImprove) final = Math.fround(final + worst);
      if (!counts) final = Math.fround(final + worst);
      return { ids, score: final, isReal: counts };
    });

    const going = next
      .map((each) => ({
        ...each,
        score: each.ends ? Math.fround(each.score + worst) : each.score,
      }))
      .sort((a, b) => b.score - a.score)
      .slice(0, numBeams);
    while (going.length < numBeams) going.push({ ...going.at(-1)!, score: worst });
    this.running = going.map(({ ids, score }) => ({ ids, score }));
    this.ended = [...this.ended, ...ends].sort((a, b) => b.score - a.score).slice(0, numBeams);

    this.canImprove &&= this.mayImprove();
    const allEnded = earlyStopping === true && this.ended.every(({ isReal }) => isReal);
    this.isDone = !this.canImprove || allEnded || next.every(({ ends }) => ends);
    return going.map(({ parent, id }) => ({ parent, id }));
  }

  /** The best sequences, best first. */
  results(count: number): Beam[] {
    return this.ended.slice(0, count).map(({ ids, score }) => ({ ids, score }));
  }

  private get length(): number {
    return this.running[0]!.ids.length;
  }

  private hasEnded(ids: readonly number[], last: number): boolean {
    const { eosTokenIds, maxLength, isEnd } = this.settings;
    return eosTokenIds.includes(last) || ids.length >= maxLength || isEnd?.(ids) === true;
  }

  private bestContinuations(
    rows: readonly ScoreRow[],
    keep: number,
  ): { score: number; beam: number; id: number }[] {
    const vocabSize = rows[0]!.length;
    const best = new BestEntries(keep);
    rows.forEach((row, beam) => {
      const { score } = this.running[beam]!;
      const offset = beam * vocabSize;
      const least = Math.fround(row.leastOfBest(keep) + score);
      row.forEachRange(
        (greatest) => {
          const sum = Math.fround(greatest + score);
          return sum >= least && best.accepts(sum);
        },
        (begin, end) => {
          for (let id = begin; id < end; id++) {
            best.offer(Math.fround(row.values[id]! + score), offset + id);
          }
        },
      );
    });
    return best.sorted().map(({ score, index }) => ({
      score,
      beam: Math.floor(index / vocabSize),
      id: index % vocabSize,
    }));
  }

  /** Whether the best running beam might still end better than the worst end. */
  private mayImprove(): boolean {
    const { earlyStopping, lengthPenalty, maxLength } = this.settings;
    const last = earlyStopping === 'never' && lengthPenalty > 0 ? maxLength : this.length;
    const divisor = Math.fround((last - this.prompt.length) ** lengthPenalty);
    const best = Math.fround(this.running[0]!.score / divisor);
    const least = Math.min(...this.ended.map(({ score }) => score));
    return this.ended.some(({ isReal }) => best > (isReal ? least : worst));
  }
}
