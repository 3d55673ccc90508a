/**
 * Which tokens may be drawn: temperature, top-k, top-p (Holtzman et al. 2020), min-p (Nguyen et al. 2024) and locally typical
 * sampling (Meister et al. 2023), in the order and with the borders of Hugging Face's `LogitsWarper`s.
 */
import { exponentials } from './exponential.js';
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
  select(row: Float32Array, settings: CandidateSettings, minKept = 1): void {
    this.reserve(row.length);
    const temperature = Math.fround(settings.temperature);
    // Division keeps the order, and what was not equal may become so: the border is divided too.
    const k = Math.max(settings.topK, minKept);
    const border = settings.topK > 0 ? kthLargest(row, row.length, k) / temperature : -Infinity;
    const least = Math.fround(border);
    const { ids, scores } = this;
    let count = 0;
    for (let id = 0; id < row.length; id++) {
      const score = Math.fround(row[id]! / temperature);
      if (score < least || score === -Infinity) continue;
      ids[count] = id;
      scores[count++] = score;
    }
    this.count = count;
    if (settings.topP < 1) this.keepNucleus(settings.topP, minKept);
    if (settings.minP > 0) this.keepProbable(settings.minP, minKept);
    if (settings.typicalP < 1) this.keepTypical(settings.typicalP, minKept);
  }

  /** exp(score − the largest score) of every candidate. */
  softmax(): { weights: Float64Array; total: number; largest: number } {
    const largest = this.largest();
    const total = exponentials(this.scores, this.count, largest, this.weights);
    return { weights: this.weights, total, largest };
  }

  private reserve(length: number): void {
    if (this.ids.length >= length) return;
    this.ids = new Int32Array(length);
    this.scores = new Float32Array(length);
    this.weights = new Float64Array(length);
    this.surprise = new Float32Array(length);
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

  /** A token stays while those above it hold less than `mass`; of equal ones the lower ids are above. */
  private keepNucleus(mass: number, minKept: number): void {
    if (this.count === 0) return;
    const best = this.bestIds(minKept);
    const { weights, total, largest } = this.softmax();
    const { ids, scores } = this;
    const target = mass * total;
    // So small that all of them together hold no more than what is left over: none of them stays.
    const floor = ((1 - mass) * total) / this.count;
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
    let ties = share > 0 ? Math.max(1, Math.ceil((target - above) / share)) : Infinity;
    for (let i = 0; i < count; i++) {
      if (scores[i] !== value) continue;
      if (ties-- <= 0 && !best?.has(ids[i]!)) scores[i] = -Infinity;
    }
    this.keep(scores, value, best);
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
