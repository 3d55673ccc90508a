import type { Program } from './program.js';
import { ruleOf } from './rules.js';

/** Alignment of every buffer in the arena, in bytes; `kAlignment` of native/kernels/kernel.h. */
const alignment = 64;

export interface ArenaPlan {
  /** Byte offset by value number; −1 for values that do not live in the arena. */
  readonly offsets: readonly number[];
  readonly bytes: number;
}

/** How long a run needs a buffer: from the node that makes what lies there to the last that reads it, by their places. */
export interface Lifetime {
  /** Those after the first are computed in its place. */
  readonly values: number[];
  readonly bytes: number;
  readonly first: number;
  last: number;
}

/**
 * Lifetimes of the intermediate values, in the order of their beginnings. A value whose node may work in place takes the memory
 * of the operand that it is the last to read.
 *
 * @param bytesOf size of a value at capacity.
 */
export function lifetimesOf(program: Program, bytesOf: (value: number) => number): Lifetime[] {
  const { nodes, values } = program;
  const isOutput = new Uint8Array(values.length);
  for (const { value } of program.outputs) isOutput[value] = 1;
  const lifetimes: Lifetime[] = [];
  const lifetimeOf = new Array<Lifetime | undefined>(values.length).fill(undefined);
  const lastUse = lastUses(program);
  const begin = (value: number, at: number, over = -1): void => {
    if (value < 0 || isOutput[value] || values[value]?.source.kind !== 'op') return;
    const bytes = Math.max(alignment, Math.ceil(bytesOf(value) / alignment) * alignment);
    const given = lastUse[over] === at ? lifetimeOf[over] : undefined;
    if (given?.bytes === bytes) {
      given.values.push(value);
      given.last = at;
      lifetimeOf[value] = given;
      return;
    }
    const lifetime = { values: [value], bytes, first: at, last: at };
    lifetimeOf[value] = lifetime;
    lifetimes.push(lifetime);
  };
  for (let at = 0; at < nodes.length; at++) {
    const { op, result, further, operands } = nodes[at]!;
    begin(result, at, operands[ruleOf(op).inPlace ?? -1]);
    for (const value of further) begin(value, at);
    for (const operand of operands) {
      const lifetime = lifetimeOf[operand];
      if (lifetime) lifetime.last = at;
    }
  }
  return lifetimes;
}

/**
 * Places intermediate values in one arena so that two values overlap only if their lifetimes do not, or one is computed in the
 * other's place.
 * Greedy by size: the largest first, each at the lowest free offset (Pisarchyk & Lee 2020, "Efficient Memory Management
 * for Deep Neural Net Inference", section 5).
 *
 * @param bytesOf size of a value at capacity.
 */
export const planArena = (program: Program, bytesOf: (value: number) => number): ArenaPlan =>
  placeLifetimes(lifetimesOf(program, bytesOf), program.values.length);

/** `planArena` of lifetimes that are known, in the order of their beginnings. @param values how many there are. */
export function placeLifetimes(lifetimes: readonly Lifetime[], values: number): ArenaPlan {
  // There are far fewer sizes than buffers, and within one their order is that of their beginnings.
  const ofSize = new Map<number, Lifetime[]>();
  for (const lifetime of lifetimes) {
    const alike = ofSize.get(lifetime.bytes);
    if (alike) alike.push(lifetime);
    else ofSize.set(lifetime.bytes, [lifetime]);
  }
  const offsets = new Array<number>(values).fill(-1);
  const placed = new PlacedBuffers(lifetimes.length);
  for (const bytes of [...ofSize.keys()].sort((a, b) => b - a)) {
    for (const lifetime of ofSize.get(bytes)!) {
      const offset = placed.place(lifetime);
      for (const value of lifetime.values) offsets[value] = offset;
    }
  }
  return { offsets, bytes: placed.bytes };
}

/** By value, the number of the last node that reads it; −1 where none does. */
function lastUses({ nodes, values }: Program): Int32Array {
  const last = new Int32Array(values.length).fill(-1);
  for (let at = 0; at < nodes.length; at++) {
    for (const operand of nodes[at]!.operands) if (operand >= 0) last[operand] = at;
  }
  return last;
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
  place(buffer: Lifetime): number {
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
