import type { Program } from './program.js';

/** Alignment of every buffer in the arena, in bytes; `kAlignment` of native/kernels/kernel.h. */
const alignment = 64;

export interface ArenaPlan {
  /** Byte offset by value number; −1 for values that do not live in the arena. */
  readonly offsets: readonly number[];
  readonly bytes: number;
}

interface Buffer {
  value: number;
  bytes: number;
  first: number;
  last: number;
}

/**
 * Places intermediate values in one arena so that two values overlap only if their lifetimes do not.
 * Greedy by size: the largest first, each at the lowest free offset (Pisarchyk & Lee 2020, "Efficient Memory Management
 * for Deep Neural Net Inference", section 5).
 *
 * @param bytesOf size of a value at capacity.
 */
export function planArena(program: Program, bytesOf: (value: number) => number): ArenaPlan {
  const outputs = new Set(program.outputs.map((output) => output.value));
  const buffers = new Map<number, Buffer>();
  program.nodes.forEach((node, at) => {
    for (const value of [node.result, ...node.further]) {
      if (program.values[value]?.source.kind !== 'op' || outputs.has(value)) continue;
      const bytes = Math.max(alignment, Math.ceil(bytesOf(value) / alignment) * alignment);
      buffers.set(value, { value, bytes, first: at, last: at });
    }
    for (const operand of node.operands) {
      const buffer = buffers.get(operand);
      if (buffer) buffer.last = at;
    }
  });

  const offsets = new Array<number>(program.values.length).fill(-1);
  const bySize = [...buffers.values()].sort((a, b) => b.bytes - a.bytes || a.first - b.first);
  const placed = new PlacedBuffers(bySize.length);
  for (const buffer of bySize) offsets[buffer.value] = placed.place(buffer);
  return { offsets, bytes: placed.bytes };
}

/**
 * Those that have a place, by offset, as columns: every buffer looks through them, a training step has thousands, and for a
 * command the loop has to be quick before it is compiled.
 */
class PlacedBuffers {
  bytes = 0;
  private count = 0;
  private readonly first: Float64Array;
  private readonly last: Float64Array;
  private readonly begin: Float64Array;
  private readonly end: Float64Array;

  constructor(most: number) {
    this.first = new Float64Array(most);
    this.last = new Float64Array(most);
    this.begin = new Float64Array(most);
    this.end = new Float64Array(most);
  }

  /** @returns the lowest offset that is free while the buffer lives. */
  place(buffer: Buffer): number {
    const offset = this.lowestFree(buffer.first, buffer.last, buffer.bytes);
    const { begin, count } = this;
    let [at, above] = [0, count];
    while (at < above) {
      const middle = (at + above) >> 1;
      if (begin[middle]! > offset) above = middle;
      else at = middle + 1;
    }
    insert(this.first, at, count, buffer.first);
    insert(this.last, at, count, buffer.last);
    insert(this.begin, at, count, offset);
    insert(this.end, at, count, offset + buffer.bytes);
    this.count++;
    this.bytes = Math.max(this.bytes, offset + buffer.bytes);
    return offset;
  }

  private lowestFree(from: number, to: number, bytes: number): number {
    const { first, last, begin, end, count } = this;
    let offset = 0;
    for (let i = 0; i < count; i++) {
      if (last[i]! < from || first[i]! > to) continue;
      if (begin[i]! - offset >= bytes) break;
      if (end[i]! > offset) offset = end[i]!;
    }
    return offset;
  }
}

function insert(column: Float64Array, at: number, count: number, value: number): void {
  column.copyWithin(at + 1, at, count);
  column[at] = value;
}
