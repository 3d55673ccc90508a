/**
 * Which tokens may be drawn: temperature, top-k, top-p (Holtzman et al. 2020), min-p (Nguyen et al. 2024) and locally typical
 * sampling (Meister et al. 2023), in the order and with the borders of Hugging Face's `LogitsWarper`s.
 */
import { exponentials } from './exponential.js';
import type { RowMass, ScoreRow } from './score_row.js';
import { kthLargest, weightedThreshold } from './selection.js';

export interface CandidateSettings {
  /** Divides the scores; above 0. */
  readonly temperature: number;
  /** 0: all. */
  readonly topK: number;
  /** 1: all. */
  readonly topP: number;
  /** 0: all. */
  readonly minP: number;
  /** 1: all. */
  readonly typicalP: number;
}

/** Whether every token of a finite score may be drawn. */
export const keepsAll = ({ topK, topP, minP, typicalP }: CandidateSettings): boolean =>
  topK === 0 && topP >= 1 && minP === 0 && typicalP >= 1;

interface Softmax {
  readonly weights: Float64Array;
  readonly total: number;
  readonly largest: number;
}

/** How many of the best blocks a nucleus is looked for in at first, and by which factor in more where they do not hold it. */
const firstBlocks = 32;
const growth = 4;
/** Of so large a share of the blocks, all are read: that takes no longer. */
const mostBlocks = 0.5;

/** Tokens and their scores, in order of the id. Holds its arrays from one step to the next. */
export class Candidates {
  ids = new Int32Array(0);
  scores = new Float32Array(0);
  count = 0;
  private weights = new Float64Array(0);
  private surprise = new Float32Array(0);

  /**
   * The candidates of one row of scores; those of −∞ are none.
   * @param minKept so many of the best stay, whatever the filters say.
   */
  select(row: ScoreRow, settings: CandidateSettings, minKept = 1): void {
    const { temperature, topK, topP, minP, typicalP } = settings;
    let hasNucleus = topP >= 1;
    if (topK > 0) {
      const k = Math.max(topK, minKept);
      // Division keeps the order, and what was not equal may become so: the border is divided too.
      this.gather(row, temperature, Math.fround(row.leastOfBest(k) / Math.fround(temperature)));
      this.keep(this.scores, kthLargest(this.scores, this.count, k));
    } else if (minKept === 1 && !hasNucleus && this.gatherNucleus(row, temperature, topP)) {
      hasNucleus = true;
    } else if (minKept === 1 && hasNucleus && minP > 0) {
      const largest = Math.fround(row.leastOfBest(1) / Math.fround(temperature));
      this.gather(row, temperature, largest + Math.log(minP));
    } else {
      this.gather(row, temperature, -Infinity);
    }
    if (!hasNucleus) this.keepNucleus(topP, minKept, this.softmax());
    if (minP > 0) this.keepProbable(minP, minKept);
    if (typicalP < 1) this.keepTypical(typicalP, minKept);
  }

  /** All of at least this score. */
  private gather(row: ScoreRow, given: number, least: number): void {
    const temperature = Math.fround(given);
    const { values } = row;
    this.count = 0;
    row.forEachRange(
      (score) => Math.fround(score / temperature) >= least,
      (begin, end) => {
        this.reserve(this.count + end - begin);
        const { ids, scores } = this;
        let { count } = this;
        for (let id = begin; id < end; id++) {
          const score = Math.fround(values[id]! / temperature);
          if (score < least || score === -Infinity) continue;
          ids[count] = id;
          scores[count++] = score;
        }
        this.count = count;
      },
    );
  }

  /** The nucleus, where a few blocks hold it. @returns whether they do, and rounding leaves no doubt which tokens it has. */
  private gatherNucleus(row: ScoreRow, temperature: number, share: number): boolean {
    const mass = row.mass();
    if (!mass) return false;
    const most = mostBlocks * mass.blocks;
    for (let blocks = firstBlocks; blocks < most; blocks *= growth) {
      const least = row.leastOfBest(blocks);
      this.gather(row, temperature, Math.fround(least / Math.fround(temperature)));
      const own = this.softmax();
      if (own.total < share * mass.total + mass.error) continue;
      return this.keepNucleus(share, 1, own, mass);
    }
    return false;
  }

  /** exp(score − the largest score) of every candidate. */
  softmax(): Softmax {
    const largest = this.largest();
    const total = exponentials(this.scores, this.count, largest, this.weights);
    return { weights: this.weights, total, largest };
  }

  private reserve(length: number): void {
    if (this.ids.length >= length) return;
    const room = Math.max(length, 2 * this.ids.length);
    const [ids, scores] = [new Int32Array(room), new Float32Array(room)];
    ids.set(this.ids);
    scores.set(this.scores);
    this.ids = ids;
    this.scores = scores;
    this.weights = new Float64Array(room);
    this.surprise = new Float32Array(room);
  }

  /** Keeps candidates whose value is at least the border, and those that stay whatever it is. */
  private keep(values: Float32Array, border: number, best?: ReadonlySet<number>): void {
    const { ids, scores } = this;
    let count = 0;
    for (let i = 0; i < this.count; i++) {
      if (!(values[i]! >= border || best?.has(ids[i]!))) continue;
      ids[count] = ids[i]!;
      scores[count++] = scores[i]!;
    }
    this.count = count;
  }

  /**
   * A token stays while those above it hold less than `mass`; of equal ones the lower ids are above.
   * @param own of the candidates. @param of what the candidates are the best of; undefined: of themselves.
   * @returns false, and leaves all, where that is not known so well that there is no doubt.
   */
  private keepNucleus(mass: number, minKept: number, own: Softmax, of?: RowMass): boolean {
    if (this.count === 0) return true;
    const best = this.bestIds(minKept);
    const { ids, scores } = this;
    const { weights, total: sum, largest } = own;
    const target = mass * (of?.total ?? sum);
    // So small that all of them together hold no more than what is left over: none of them stays.
    const floor = of ? 0 : ((1 - mass) * sum) / this.count;
    let count = 0;
    for (let i = 0; i < this.count; i++) {
      if (weights[i]! < floor && !best?.has(ids[i]!)) continue;
      ids[count] = ids[i]!;
      scores[count] = scores[i]!;
      weights[count++] = weights[i]!;
    }
    this.count = count;
    const { value, above } = weightedThreshold(scores, weights, count, target);
    const share = Math.exp(value - largest);
    // How many of those at the border are needed: the first always, each next while the sum is below the target.
    const needed = (reached: number): number =>
      share > 0 ? Math.max(1, Math.ceil((reached - above) / share)) : Infinity;
    if (of) {
      const equal = scores.subarray(0, count).filter((score) => score === value).length;
      const [least, most] = [target - of.error, target + of.error];
      if (above >= least || above + equal * share < most) return false;
      if (equal > 1 && needed(least) !== needed(most)) return false;
    }
    let ties = needed(target);
    for (let i = 0; i < count; i++) {
      if (scores[i] !== value) continue;
      if (ties-- <= 0 && !best?.has(ids[i]!)) scores[i] = -Infinity;
    }
    this.keep(scores, value, best);
    return true;
  }

  private keepProbable(share: number, minKept: number): void {
    const border = this.largest() + Math.log(share);
    this.keep(this.scores, border, this.bestIds(minKept));
  }

  /** Tokens whose surprise is nearest to the expected one, until they hold `mass`; ties with the last one stay. */
  private keepTypical(mass: number, minKept: number): void {
    if (this.count === 0) return;
    const { weights, total, largest } = this.softmax();
    const normalizer = largest + Math.log(total);
    let entropy = 0;
    for (let i = 0; i < this.count; i++) {
      entropy -= (weights[i]! / total) * (this.scores[i]! - normalizer);
    }
    for (let i = 0; i < this.count; i++) {
      this.surprise[i] = -Math.abs(normalizer - this.scores[i]! - entropy);
    }
    const { surprise } = this;
    let border = weightedThreshold(surprise, weights, this.count, mass * total).value;
    if (minKept > 1) {
      const least = weightedThreshold(surprise, null, this.count, minKept).value;
      border = Math.min(border, least);
    }
    this.keep(surprise, border);
  }

  private largest(): number {
    const { scores, count } = this;
    let largest = -Infinity;
    for (let i = 0; i < count; i++) if (scores[i]! > largest) largest = scores[i]!;
    return largest;
  }

  /** The best `count` ids that no filter may take; none for 1, as the best one passes every filter. */
  private bestIds(count: number): Set<number> | undefined {
    if (count <= 1) return undefined;
    const best = new Set<number>();
    const border = kthLargest(this.scores, this.count, Math.min(count, this.count));
    for (let i = 0; i < this.count && best.size < count; i++) {
      if (this.scores[i]! > border) best.add(this.ids[i]!);
    }
    for (let i = 0; i < this.count && best.size < count; i++) {
      if (this.scores[i] === border) best.add(this.ids[i]!);
    }
    return best;
  }
}
