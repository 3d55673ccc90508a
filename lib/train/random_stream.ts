import { philox } from '../graph/philox.js';

/** Uniform numbers in [0, 1) from Philox (Salmon et al. 2011): the same for the same seed, use and turn, whatever was drawn before. */
export class RandomStream {
  private drawn = 0;
  private block: readonly number[] = [];

  /** @param use what the numbers are for, up to 2^32. @param turn which of them, such as a step, up to 2^21. */
  constructor(
    private readonly seed: number,
    private readonly use: number,
    private readonly turn: number,
  ) {}

  next(): number {
    const place = this.drawn % 4;
    if (place === 0) {
      this.block = philox(this.turn * 2 ** 32 + this.drawn / 4, this.use, this.seed);
    }
    this.drawn++;
    return (this.block[place] ?? 0) / 2 ** 32;
  }

  /** A whole number from 0 to below `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }
}
