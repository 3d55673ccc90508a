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
  // Those that are placed, by offset, as columns: every buffer looks through them, and a training step has thousands.
  const first = new Int32Array(bySize.length);
  const last = new Int32Array(bySize.length);
  const begin = new Float64Array(bySize.length);
  const end = new Float64Array(bySize.length);
  let bytes = 0;
  bySize.forEach((buffer, count) => {
    let offset = 0;
    for (let i = 0; i < count; i++) {
      if (last[i]! < buffer.first || first[i]! > buffer.last) continue;
      if (begin[i]! - offset >= buffer.bytes) break;
      if (end[i]! > offset) offset = end[i]!;
    }
    offsets[buffer.value] = offset;
    bytes = Math.max(bytes, offset + buffer.bytes);
    let at = count;
    while (at > 0 && begin[at - 1]! > offset) at--;
    for (const column of [first, last, begin, end]) column.copyWithin(at + 1, at, count);
    first[at] = buffer.first;
    last[at] = buffer.last;
    begin[at] = offset;
    end[at] = offset + buffer.bytes;
  });
  return { offsets, bytes };
}
