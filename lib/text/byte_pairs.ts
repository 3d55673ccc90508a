/**
 * Byte-pair encoding of one word (Sennrich et al. 2016): as long as any two neighbours have a merge, the
 * merge that was learned first is done, from left to right.
 *
 * With a heap over merges that are possible, n log n in the length of the word (a text may be one word of
 * a million characters; the package's objects and JSON keys take 13 s for it, this half a second).
 */
export class BytePairs {
  private readonly ranks = new Map<number, number>();
  private readonly merged: number[] = [];

  /** @param merges in the order in which they were learned: ids of the two halves and of the whole. */
  constructor(merges: Iterable<readonly [left: number, right: number, whole: number]>) {
    for (const [left, right, whole] of merges) {
      this.ranks.set(pairKey(left, right), this.merged.length);
      this.merged.push(whole);
    }
  }

  /**
   * Merges symbols in place; a symbol that takes no part in any merge is given as -1.
   * @param symbols ids, at first of single characters. @param ends where each symbol ends.
   * @returns how many symbols are left, at the front of both arrays.
   */
  merge(symbols: Int32Array, ends: Int32Array): number {
    const count = symbols.length;
    const previous = new Int32Array(count);
    const next = new Int32Array(count);
    const candidates = new Heap(count);
    for (let i = 0; i < count; i++) {
      previous[i] = i - 1;
      next[i] = i + 1;
      if (i > 0) this.consider(candidates, symbols, i - 1, i);
    }
    for (let key = candidates.pop(); key !== undefined; key = candidates.pop()) {
      const at = key % positions;
      const after = next[at]!;
      // Either half may have become part of another merge since.
      if (symbols[at] === gone || after >= count) continue;
      const whole = this.merged[Math.floor(key / positions)]!;
      const rank = this.ranks.get(pairKey(symbols[at]!, symbols[after]!));
      if (rank === undefined || this.merged[rank] !== whole) continue;
      symbols[at] = whole;
      ends[at] = ends[after]!;
      symbols[after] = gone;
      const following = next[after]!;
      next[at] = following;
      if (following < count) {
        previous[following] = at;
        this.consider(candidates, symbols, at, following);
      }
      if (previous[at]! >= 0) this.consider(candidates, symbols, previous[at]!, at);
    }
    let left = 0;
    for (let at = 0; at < count; at = next[at]!) {
      symbols[left] = symbols[at]!;
      ends[left++] = ends[at]!;
    }
    return left;
  }

  private consider(candidates: Heap, symbols: Int32Array, left: number, right: number): void {
    if (symbols[left]! < 0 || symbols[right]! < 0) return;
    const rank = this.ranks.get(pairKey(symbols[left]!, symbols[right]!));
    if (rank !== undefined) candidates.push(rank * positions + left);
  }
}

/** Marks a symbol that was merged into its left neighbour. */
const gone = -2;

/** Positions in a word, and ranks above them, share a number: rank × positions + position < 2^53. */
const positions = 2 ** 30;

function pairKey(left: number, right: number): number {
  return left * 2 ** 22 + right;
}

/** Ids must fit `pairKey`; the largest vocabularies have 2^18 tokens. */
export const idLimit = 2 ** 22;

/** A binary heap of numbers, the smallest first. */
class Heap {
  private keys: Float64Array;
  private size = 0;

  constructor(capacity: number) {
    this.keys = new Float64Array(Math.max(16, capacity));
  }

  push(key: number): void {
    if (this.size === this.keys.length) {
      const larger = new Float64Array(2 * this.size);
      larger.set(this.keys);
      this.keys = larger;
    }
    const { keys } = this;
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (keys[parent]! <= key) break;
      keys[at] = keys[parent]!;
      at = parent;
    }
    keys[at] = key;
  }

  pop(): number | undefined {
    if (this.size === 0) return undefined;
    const { keys } = this;
    const smallest = keys[0]!;
    const last = keys[--this.size]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.size) break;
      if (child + 1 < this.size && keys[child + 1]! < keys[child]!) child++;
      if (keys[child]! >= last) break;
      keys[at] = keys[child]!;
      at = child;
    }
    keys[at] = last;
    return smallest;
  }
}
