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
  offset: number;
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
      buffers.set(value, { value, bytes, first: at, last: at, offset: -1 });
    }
    for (const operand of node.operands) {
      const buffer = buffers.get(operand);
      if (buffer) buffer.last = at;
    }
  });

  const offsets = new Array<number>(program.values.length).fill(-1);
  const placed: Buffer[] = []; // by offset
  let bytes = 0;
  const bySize = [...buffers.values()].sort((a, b) => b.bytes - a.bytes || a.first - b.first);
  for (const buffer of bySize) {
    let offset = 0;
    for (const other of placed) {
      if (other.last < buffer.first || other.first > buffer.last) continue;
      if (other.offset - offset >= buffer.bytes) break;
      offset = Math.max(offset, other.offset + other.bytes);
    }
    buffer.offset = offset;
    offsets[buffer.value] = offset;
    bytes = Math.max(bytes, offset + buffer.bytes);
    const at = placed.findIndex((other) => other.offset > offset);
    placed.splice(at < 0 ? placed.length : at, 0, buffer);
  }
  return { offsets, bytes };
}
