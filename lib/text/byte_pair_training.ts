import type { TrainingPace } from './training_pace.js';

export interface BytePairTraining {
  /** Tokens that are there from the start: special ones, bytes; none is made by a merge. */
  reserved: readonly string[];
  /** Single characters that are tokens, in the order of their ids. What else words contain parts them. */
  alphabet: readonly string[];
  vocabSize: number;
  /** How often two tokens must stand together to become one. */
  minFrequency: number;
}

/** Pairs of ids as one number: both are below 2^24. */
const pairBase = 2 ** 24;

/**
 * Learns byte-pair encoding (Sennrich et al. 2016, algorithm 1): again and again the most frequent pair of neighbours
 * becomes a token; of pairs as frequent, the one with the lower ids. Only the words that a pair is in are looked at.
 * @returns tokens in the order of their ids, and the merges in the order in which they were learned.
 */
export async function trainBytePairs(
  counts: ReadonlyMap<string, number>,
  { reserved, alphabet, vocabSize, minFrequency }: BytePairTraining,
  pace: TrainingPace,
): Promise<{ tokens: string[]; merges: [string, string][] }> {
  const tokens = [...reserved, ...alphabet];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const isReserved = new Set(reserved);
  const words = new Words(counts, ids);
  const queue = new PairQueue();
  for (const [pair, count] of words.pairCounts) queue.push({ pair, count });
  const merges: [string, string][] = [];
  const first = tokens.length;
  while (tokens.length < vocabSize) {
    const top = queue.pop();
    if (!top) break;
    const count = words.pairCounts.get(top.pair) ?? 0;
    if (count !== top.count) {
      if (count > 0) queue.push({ pair: top.pair, count }); // it has changed since it was queued
      continue;
    }
    if (count < Math.max(1, minFrequency)) break;
    const [left, right] = [Math.floor(top.pair / pairBase), top.pair % pairBase];
    const token = `${tokens[left]}${tokens[right]}`;
    if (isReserved.has(token)) continue;
    const id = ids.get(token) ?? tokens.push(token) - 1;
    ids.set(token, id);
    merges.push([tokens[left] as string, tokens[right] as string]);
    for (const pair of words.merge(left, right, id)) {
      const grown = words.pairCounts.get(pair) ?? 0;
      if (grown > 0) queue.push({ pair, count: grown });
    }
    if (pace.isDue) await pace.pause('learn', tokens.length - first, vocabSize - first);
  }
  return { tokens, merges };
}

/** Words as ids, one after the other, with the counts of neighbours and where they are. */
class Words {
  readonly pairCounts = new Map<number, number>();
  /** Words that a pair was once in; some may have lost it since. */
  private readonly places = new Map<number, number[]>();
  private readonly symbols: number[][] = [];
  private readonly counts: number[] = [];

  constructor(counts: ReadonlyMap<string, number>, ids: ReadonlyMap<string, number>) {
    for (const [word, count] of counts) {
      let run: number[] = [];
      for (const character of word) {
        const id = ids.get(character);
        if (id !== undefined) {
          run.push(id);
        } else {
          this.add(run, count);
          run = [];
        }
      }
      this.add(run, count);
    }
  }

  private add(symbols: number[], count: number): void {
    if (symbols.length < 2) return;
    const word = this.symbols.push(symbols) - 1;
    this.counts.push(count);
    for (let i = 0; i + 1 < symbols.length; i++) {
      this.change(symbols[i] as number, symbols[i + 1] as number, count, word);
    }
  }

  private change(left: number, right: number, by: number, word: number): number {
    const pair = left * pairBase + right;
    this.pairCounts.set(pair, (this.pairCounts.get(pair) ?? 0) + by);
    if (by > 0) {
      const places = this.places.get(pair);
      if (!places) this.places.set(pair, [word]);
      else if (places.at(-1) !== word) places.push(word);
    }
    return pair;
  }

  /** Makes one of every pair, from left to right. @returns pairs that have become more frequent. */
  merge(left: number, right: number, whole: number): Set<number> {
    const pair = left * pairBase + right;
    const places = this.places.get(pair) ?? [];
    this.places.delete(pair);
    const grown = new Set<number>();
    for (const word of places) {
      const symbols = this.symbols[word] as number[];
      const count = this.counts[word] as number;
      let kept = 0;
      for (let i = 0; i < symbols.length; i++) {
        if (symbols[i] !== left || symbols[i + 1] !== right) {
          symbols[kept++] = symbols[i] as number;
          continue;
        }
        if (kept > 0) {
          const before = symbols[kept - 1] as number;
          this.change(before, left, -count, word);
          grown.add(this.change(before, whole, count, word));
        }
        if (i + 2 < symbols.length) {
          const after = symbols[i + 2] as number;
          this.change(right, after, -count, word);
          grown.add(this.change(whole, after, count, word));
        }
        symbols[kept++] = whole;
        i++;
      }
      symbols.length = kept;
    }
    this.pairCounts.delete(pair);
    grown.delete(pair);
    return grown;
  }
}

interface Queued {
  readonly pair: number;
  readonly count: number;
}

/** A binary heap: the greatest count first, then the lowest pair. */
class PairQueue {
  private readonly heap: Queued[] = [];

  push(entry: Queued): void {
    const { heap } = this;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!precedes(entry, heap[parent] as Queued)) break;
      heap[at] = heap[parent] as Queued;
      at = parent;
    }
    heap[at] = entry;
  }

  pop(): Queued | undefined {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return top;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      const right = heap[child + 1];
      if (right !== undefined && precedes(right, heap[child] as Queued)) child++;
      if (!precedes(heap[child] as Queued, last)) break;
      heap[at] = heap[child] as Queued;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

const precedes = (a: Queued, b: Queued): boolean =>
  a.count > b.count || (a.count === b.count && a.pair < b.pair);
