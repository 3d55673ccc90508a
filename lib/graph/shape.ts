import { HeddleError, mismatch } from '../errors.js';
import type { NativeDType } from '../native.js';
import { blocksBytes } from './int4.js';
import { int8Bytes } from './int8.js';
import { describeValue } from './options.js';

/**
 * A dimension whose size is known only at run time, such as the number of packed rows in a batch.
 * Equal only to itself: two sequences of different lengths need two symbols.
 */
export class SymbolicDim {
  constructor(readonly name: string) {}
  toString(): string {
    return this.name;
  }
}

export type Dim = number | SymbolicDim;
export type Shape = readonly Dim[];

/** The most dimensions a tensor may have; `kMaxRank` of native/kernels/kernel.h. */
export const maxRank = 4;

export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** Element count of a shape without symbols. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dim of shape) count *= dim;
  return count;
}

const elementBytes = { float32: 4, float16: 2, bfloat16: 2, int32: 4 };

/** Bytes of a tensor in native memory. */
export function tensorBytes(dtype: NativeDType, shape: readonly number[]): number {
  if (dtype === 'int8') return int8Bytes(shape[0] ?? 1, shape[1] ?? 1);
  if (dtype === 'int4' || dtype === 'int8Blocks') return blocksBytes(dtype, shape);
  return elementCount(shape) * elementBytes[dtype];
}

/** Replaces symbols by the sizes that `sizeOf` gives. */
export function resolveShape(shape: Shape, sizeOf: (symbol: SymbolicDim) => number): number[] {
  return shape.map((dim) => (typeof dim === 'number' ? dim : sizeOf(dim)));
}

/** Throws ERR_SHAPE unless every dimension is a symbol or a whole number from 0 to 2^31 − 1. */
export function checkShape(shape: Shape, where: string): void {
  if (!Array.isArray(shape)) {
    throw mismatch('ERR_SHAPE', where, 'a shape, an array', describeValue(shape));
  }
  if (shape.length > maxRank) {
    throw new HeddleError(
      'ERR_SHAPE',
      `${where}: at most ${maxRank} dimensions, found ${formatShape(shape)}`,
    );
  }
  for (const dim of shape) {
    if (dim instanceof SymbolicDim) continue;
    if (!(Number.isInteger(dim) && dim >= 0 && dim < 2 ** 31)) {
      throw new HeddleError(
        'ERR_SHAPE',
        `${where}: a dimension must be a whole number from 0 to 2^31 − 1, found ${formatShape(shape)}`,
      );
    }
  }
}
