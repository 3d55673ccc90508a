/** Selection without sorting: thresholds in linear time, and the few best of many. */

/** The digits of a radix selection over 32 bits, the highest first: few, and none with so many values that clearing them counts. */
const digits = [
  { shift: 21, width: 11 },
  { shift: 10, width: 11 },
  { shift: 0, width: 10 },
] as const;
const counts = new Float64Array(2 ** 11);

/** The bits of float32 values as integers of the same order, and back: an involution on the bits. */
const inOrder = (bits: number): number => bits ^ ((bits >> 31) & 0x7fffffff);
const sign = -0x80000000;

export interface Threshold {
  /** The value at which the weights of the largest values reach the target. */
  value: number;
  /** The weights of all values above it. */
  above: number;
}

/**
 * The largest t for which the weights of all values of at least t add up to `target` or more; the smallest value where all
 * together are less. A radix selection over the bits of float32: three passes, whatever the order of the values.
 * @param values of float32, none NaN; the first `length` count.
 * @param weights null: 1 each.
 */
export function weightedThreshold(
  values: Float32Array,
  weights: Float64Array | null,
  length: number,
  target: number,
): Threshold {
  const bits = new Int32Array(values.buffer, values.byteOffset, length);
  let above = 0;
  /** The digits found so far. */
  let prefix = 0;
  for (const { shift, width } of digits) {
    const isFirst = shift === digits[0].shift;
    const mask = 2 ** width - 1;
    counts.fill(0);
    for (let i = 0; i < length; i++) {
      const key = inOrder(bits[i]!) ^ sign;
      if (isFirst || key >>> (shift + width) === prefix) {
        counts[(key >>> shift) & mask]! += weights === null ? 1 : weights[i]!;
      }
    }
    const found = reach(target, above, mask);
    above = found.above;
    prefix = (prefix << width) | found.bin;
  }
  const value = new Float32Array(Int32Array.of(inOrder(prefix ^ sign)).buffer)[0]!;
  return { value, above };
}

/** The bin, from this one down, in which the sum reaches the target; else the lowest that holds anything. */
function reach(target: number, start: number, first: number): { bin: number; above: number } {
  let above = start;
  let last = { bin: 0, above: start };
  for (let bin = first; bin >= 0; bin--) {
    const count = counts[bin]!;
    if (count === 0) continue;
    last = { bin, above };
    above += count;
    if (above >= target) break;
  }
  return last;
}

/** More than this is found faster by a radix selection. */
const largestHeap = 1024;

const heap = new Float32Array(largestHeap);

/** The k-th largest of the first `length` values, none of them NaN; −∞ where there are fewer. */
export function kthLargest(values: Float32Array, length: number, k: number): number {
  if (k > length) return -Infinity;
  if (k > largestHeap) return weightedThreshold(values, null, length, k).value;
  // A heap of the largest so far, the least of them first: nearly all values end at one comparison with it.
  heap.fill(-Infinity, 0, k);
  let least = -Infinity;
  for (let i = 0; i < length; i++) {
    const value = values[i]!;
    if (value <= least) continue;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= k) break;
      if (child + 1 < k && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= value) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = value;
    least = heap[0]!;
  }
  return least;
}

/** The `limit` entries of the highest scores that were offered; of equal ones, those with the lowest index. */
export class BestEntries {
  private readonly scores: Float64Array;
  private readonly indices: Float64Array;
  private length = 0;

  constructor(private readonly limit: number) {
    this.scores = new Float64Array(limit);
    this.indices = new Float64Array(limit);
  }

  /** A heap, its worst entry first. */
  offer(score: number, index: number): void {
    if (this.length < this.limit) {
      this.place(this.length++, score, index);
    } else if (this.isWorse(this.scores[0]!, this.indices[0]!, score, index)) {
      this.replaceWorst(score, index);
    }
  }

  private isWorse(score: number, index: number, than: number, thanIndex: number): boolean {
    return score < than || (score === than && index > thanIndex);
  }

  private place(from: number, score: number, index: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const [parentScore, parentIndex] = [this.scores[parent]!, this.indices[parent]!];
      if (!this.isWorse(score, index, parentScore, parentIndex)) break;
      this.scores[at] = parentScore;
      this.indices[at] = parentIndex;
      at = parent;
    }
    this.scores[at] = score;
    this.indices[at] = index;
  }

  private replaceWorst(score: number, index: number): void {
    const { scores, indices, length } = this;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      const right = child + 1;
      if (
        right < length &&
        this.isWorse(scores[right]!, indices[right]!, scores[child]!, indices[child]!)
      ) {
        child = right;
      }
      if (!this.isWorse(scores[child]!, indices[child]!, score, index)) break;
      scores[at] = scores[child]!;
      indices[at] = indices[child]!;
      at = child;
    }
    scores[at] = score;
    indices[at] = index;
  }

  /** Whether one of this score might come in. */
  accepts(score: number): boolean {
    return this.length < this.limit || score >= this.scores[0]!;
  }

  /** Best first. */
  sorted(): { score: number; index: number }[] {
    return Array.from({ length: this.length }, (_, i) => ({
      score: this.scores[i]!,
      index: this.indices[i]!,
    })).sort((a, b) => b.score - a.score || a.index - b.index);
  }
}
