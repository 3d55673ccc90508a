import { blockColumns, blockError, logitRow } from '../ops/logit_blocks.js';
import { exponentials } from './exponential.js';
import { checkLogits, logSumExp } from './log_probabilities.js';
import { kthLargest } from './selection.js';

/** What the sums of blocks say of Σ exp(score/temperature − largest). */
export interface RowMass {
  /** The largest score over the temperature. */
  readonly largest: number;
  /** Of each block; valid until the next row is asked. */
  readonly weights: Float64Array;
  readonly blocks: number;
  readonly total: number;
  /** How far the total may be from its value. */
  readonly error: number;
}

/** Of what only the next row needs again; a row is done with before another is asked. */
let scaled = new Float32Array(0);
let weights = new Float64Array(0);

/**
 * The scores of what may follow: logits, and what processors and beams make of them. Where the engine gave `logitBlocks`, only those
 * blocks are read that may hold what is asked for: of a large vocabulary few.
 */
export class ScoreRow {
  /** Those of a range that `forEachRange` gives, and of ids that were set, are as they should be. */
  readonly values: Float32Array;
  private readonly greatest: Float32Array;
  private readonly sums: Float32Array;
  private readonly scaledSums: Float32Array;
  /** 0 where the engine gave none, or they say nothing any more. */
  private blocks: number;
  /** Of blocks that were written to: 1 where the greatest is not known, 2 where only the scaled sum is not. */
  private readonly stale: Uint8Array;
  private isStale = false;
  /** Blocks from which `shift` is still to be taken. */
  private unshifted: Uint8Array | undefined;
  private shift = 0;
  private readonly temperature: number;
  private originals: Map<number, number> | undefined;
  private before: Float32Array | undefined;

  /** @param given of a step, to be written to. @param temperature at which the step was asked for sums. */
  constructor(
    given: Float32Array,
    readonly length: number,
    temperature = 1,
  ) {
    this.temperature = Math.fround(temperature);
    const { values, greatest, sums, scaledSums } = logitRow(given, length);
    this.values = values;
    this.greatest = greatest;
    this.sums = sums;
    this.scaledSums = scaledSums;
    this.blocks = greatest.length;
    this.stale = new Uint8Array(greatest.length);
  }

  /** Of logits as they came. @returns the largest. @throws ERR_ENGINE where they are no distribution. */
  check(position: number): number {
    let largest = -Infinity;
    for (let block = 0; block < this.blocks; block++) {
      if (!(this.sums[block]! < Infinity)) return checkLogits(this.values, position);
      if (this.greatest[block]! > largest) largest = this.greatest[block]!;
    }
    return largest === -Infinity ? checkLogits(this.values, position) : largest;
  }

  /** log Σ exp of logits as they came. */
  logSumExp(largest: number): number {
    if (this.blocks === 0) return logSumExp(this.values, largest);
    reserve(this.blocks);
    exponentials(this.greatest, this.blocks, largest, weights);
    let sum = 0;
    for (let block = 0; block < this.blocks; block++) sum += weights[block]! * this.sums[block]!;
    return largest + Math.log(sum);
  }

  get(id: number): number {
    this.settle(Math.floor(id / blockColumns));
    return this.values[id]!;
  }

  set(id: number, score: number): void {
    const block = Math.floor(id / blockColumns);
    this.settle(block);
    if (!this.before && this.originals?.has(id) === false) {
      this.originals.set(id, this.values[id]!);
    }
    this.values[id] = score;
    if (this.blocks === 0) return;
    this.stale[block] = 1;
    this.isStale = true;
  }

  /** Only these may follow, all alike. */
  only(ids: readonly number[]): void {
    if (this.originals) this.before ??= this.values.slice();
    this.whole().fill(-Infinity);
    for (const id of ids) this.values[id] = 0;
  }

  /** From here on `original` knows what scores were. */
  keepOriginals(): void {
    this.originals = new Map();
  }

  original(id: number): number {
    return this.originals?.get(id) ?? (this.before ?? this.values)[id]!;
  }

  /** Takes a number from every score. Of the row's mass nothing is known afterwards. */
  subtract(shift: number): void {
    this.shift = shift;
    this.unshifted = new Uint8Array(Math.ceil(this.length / blockColumns)).fill(1);
    for (let block = 0; block < this.blocks; block++) this.greatest[block]! -= shift;
    if (this.blocks === 0) this.whole();
  }

  /** All scores, to be read and written freely. */
  whole(): Float32Array {
    const all = Math.ceil(this.length / blockColumns);
    for (let block = 0; this.unshifted && block < all; block++) this.settle(block);
    this.blocks = 0;
    return this.values;
  }

  /** What the k best are not below. Without blocks it is the least of them. */
  leastOfBest(k: number): number {
    if (this.blocks === 0) return kthLargest(this.values, this.length, k);
    this.refresh();
    return kthLargest(this.greatest, this.blocks, k);
  }

  /** All ids of which the score may be wanted, in order. @param isWanted of a score; where it is true, it is of every greater one. */
  forEachRange(
    isWanted: (score: number) => boolean,
    visit: (begin: number, end: number) => void,
  ): void {
    if (this.blocks === 0) visit(0, this.length);
    this.refresh();
    for (let block = 0; block < this.blocks; block++) {
      if (!isWanted(this.greatest[block]!)) continue;
      this.settle(block);
      visit(block * blockColumns, this.endOf(block));
    }
  }

  /** The lowest id of the largest score; −1 where all are −∞. */
  best(): number {
    const least = this.blocks === 0 ? -Infinity : this.leastOfBest(1);
    let found = -1;
    let largest = -Infinity;
    this.forEachRange(
      (greatest) => greatest >= least,
      (begin, end) => {
        for (let id = begin; id < end; id++) {
          if (this.values[id]! > largest) {
            largest = this.values[id]!;
            found = id;
          }
        }
      },
    );
    return found;
  }

  /** Undefined where it takes the whole row to know. */
  mass(): RowMass | undefined {
    const { blocks, temperature } = this;
    if (blocks === 0) return undefined;
    this.refresh();
    reserve(blocks);
    let largest = -Infinity;
    for (let block = 0; block < blocks; block++) {
      if (this.stale[block] !== 0) this.sumAgain(block);
      scaled[block] = this.greatest[block]! / temperature;
      if (scaled[block]! > largest) largest = scaled[block]!;
    }
    exponentials(scaled, blocks, largest, weights);
    let total = 0;
    for (let block = 0; block < blocks; block++) {
      weights[block]! *= this.scaledSums[block]!;
      total += weights[block]!;
    }
    // Of so low a temperature that quotients overflow.
    if (!Number.isFinite(total)) return undefined;
    return { largest, weights, blocks, total, error: blockError * total };
  }

  /**
   * The id at which the scores' exponentials, added up in order, exceed this share of their sum.
   * @returns undefined where it takes the whole row to know, or rounding leaves doubt.
   */
  idAt(share: number): number | undefined {
    const mass = this.mass();
    if (!mass) return undefined;
    let rest = share * mass.total;
    let block = 0;
    while (block < mass.blocks && rest >= mass.weights[block]!) rest -= mass.weights[block++]!;
    if (block === mass.blocks) return undefined;
    const count = this.scaleBlock(block);
    exponentials(own, count, mass.largest, ownWeights);
    for (let i = 0; i < count; i++) {
      const before = rest;
      rest -= ownWeights[i]!;
      if (rest >= 0) continue;
      return before > mass.error && -rest > mass.error ? block * blockColumns + i : undefined;
    }
    return undefined;
  }

  private endOf(block: number): number {
    return Math.min((block + 1) * blockColumns, this.length);
  }

  private settle(block: number): void {
    if (!this.unshifted || this.unshifted[block] === 0) return;
    this.unshifted[block] = 0;
    const end = this.endOf(block);
    for (let id = block * blockColumns; id < end; id++) this.values[id]! -= this.shift;
  }

  private refresh(): void {
    if (!this.isStale) return;
    this.isStale = false;
    for (let block = 0; block < this.blocks; block++) {
      if (this.stale[block] !== 1) continue;
      this.stale[block] = 2;
      const end = this.endOf(block);
      let greatest = -Infinity;
      for (let id = block * blockColumns; id < end; id++) {
        if (this.values[id]! > greatest) greatest = this.values[id]!;
      }
      this.greatest[block] = greatest;
    }
  }

  private sumAgain(block: number): void {
    this.stale[block] = 0;
    const greatest = Math.fround(this.greatest[block]! / this.temperature);
    const count = this.scaleBlock(block);
    this.scaledSums[block] = exponentials(own, count, greatest, ownWeights);
  }

  private scaleBlock(block: number): number {
    const begin = block * blockColumns;
    const count = this.endOf(block) - begin;
    for (let i = 0; i < count; i++) own[i] = this.values[begin + i]! / this.temperature;
    return count;
  }
}

const own = new Float32Array(blockColumns);
const ownWeights = new Float64Array(blockColumns);

function reserve(blocks: number): void {
  if (scaled.length >= blocks) return;
  scaled = new Float32Array(blocks);
  weights = new Float64Array(blocks);
}
