/** Words of at most so many symbols look through all their pairs for the next merge. */
const shortWord = 12;

/**
 * The merges of byte-pair encoding (Sennrich et al. 2016): as long as any two neighbours have a merge,
 * the one that was learned first is done, from left to right.
 *
 * A long word keeps the merges that are possible in a heap, n log n in its length (a text may be one
 * word of a million characters); a short one is quicker without.
 */
export class BytePairs {
  private readonly ranks: PairTable;

  /**
   * Merges in the order in which they were learned, as ids; of two for one pair, the last counts.
   * @param lefts @param rights the neighbours. @param wholes what they become.
   */
  constructor(
    lefts: Int32Array,
    rights: Int32Array,
    private readonly wholes: Int32Array,
  ) {
    this.ranks = new PairTable(wholes.length);
    for (let rank = 0; rank < wholes.length; rank++) {
      this.ranks.set(lefts[rank]!, rights[rank]!, rank);
    }
  }

  /**
   * Merges symbols in place.
   * @param symbols ids. @param starts @param ends where each symbol lies in the word.
   * @returns how many symbols are left, at the front of the arrays.
   */
  merge(symbols: number[], starts: number[], ends: number[]): number {
    return symbols.length <= shortWord
      ? this.mergeShort(symbols, starts, ends)
      : this.mergeLong(symbols, starts, ends);
  }

  private mergeShort(symbols: number[], starts: number[], ends: number[]): number {
    let count = symbols.length;
    for (;;) {
      let first = Infinity;
      let at = 0;
      for (let i = 0; i + 1 < count; i++) {
        const rank = this.ranks.get(symbols[i]!, symbols[i + 1]!);
        if (rank === -1 || rank >= first) continue;
        first = rank;
        at = i;
      }
      if (first === Infinity) return count;
      symbols[at] = this.wholes[first]!;
      ends[at] = ends[at + 1]!;
      count--;
      for (let i = at + 1; i < count; i++) {
        symbols[i] = symbols[i + 1]!;
        starts[i] = starts[i + 1]!;
        ends[i] = ends[i + 1]!;
      }
    }
  }

  private mergeLong(symbols: number[], starts: number[], ends: number[]): number {
    const count = symbols.length;
    const previous = new Int32Array(count);
    const next = new Int32Array(count);
    const candidates = new Heap(count);
    const consider = (left: number, right: number): void => {
      const rank = this.ranks.get(symbols[left]!, symbols[right]!);
      if (rank !== -1) candidates.push(rank * positions + left);
    };
    for (let i = 0; i < count; i++) {
      previous[i] = i - 1;
      next[i] = i + 1;
      if (i > 0) consider(i - 1, i);
    }
    for (let key = candidates.pop(); key !== undefined; key = candidates.pop()) {
      const at = key % positions;
      const after = next[at]!;
      // Either half may have become part of another merge since.
      if (symbols[at] === gone || after >= count) continue;
      const whole = this.wholes[Math.floor(key / positions)]!;
      const rank = this.ranks.get(symbols[at]!, symbols[after]!);
      if (rank === -1 || this.wholes[rank] !== whole) continue;
      symbols[at] = whole;
      ends[at] = ends[after]!;
      symbols[after] = gone;
      const following = next[after]!;
      next[at] = following;
      if (following < count) {
        previous[following] = at;
        consider(at, following);
      }
      if (previous[at]! >= 0) consider(previous[at]!, at);
    }
    let left = 0;
    for (let at = 0; at < count; at = next[at]!) {
      symbols[left] = symbols[at]!;
      starts[left] = starts[at]!;
      ends[left++] = ends[at]!;
    }
    return left;
  }
}

/** Marks a symbol that was merged into its left neighbour. */
const gone = -1;

/** Positions in a word, and ranks above them, share a number: rank × positions + position < 2^53. */
const positions = 2 ** 30;

/** An open-addressed hash table from pairs of ids to ranks. */
class PairTable {
  private readonly lefts: Int32Array;
  private readonly rights: Int32Array;
  private readonly ranks: Int32Array;
  private readonly shift: number;

  constructor(pairs: number) {
    const bits = Math.max(4, Math.ceil(Math.log2(2 * pairs + 1)));
    this.lefts = new Int32Array(2 ** bits).fill(-1);
    this.rights = new Int32Array(2 ** bits);
    this.ranks = new Int32Array(2 ** bits).fill(-1);
    this.shift = 32 - bits;
  }

  private slotOf(left: number, right: number): number {
    const { lefts, rights } = this;
    const hash = Math.imul(Math.imul(left, 0x9e3779b1) ^ right, 0x85ebca6b);
    let slot = hash >>> this.shift;
    while (lefts[slot] !== -1 && !(lefts[slot] === left && rights[slot] === right)) {
      slot = slot + 1 === lefts.length ? 0 : slot + 1;
    }
    return slot;
  }

  set(left: number, right: number, rank: number): void {
    const slot = this.slotOf(left, right);
    this.lefts[slot] = left;
    this.rights[slot] = right;
    this.ranks[slot] = rank;
  }

  /** The pair's rank, or -1. */
  get(left: number, right: number): number {
    return this.ranks[this.slotOf(left, right)]!;
  }
}

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
