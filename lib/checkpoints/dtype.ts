/** Storage types of checkpoints, and their conversion to what the TypeScript backend computes with. */
import { HeddleError, mismatch } from '../errors.js';
import {
  bfloat16FromBits,
  bitsOfBfloat16,
  bitsOfFloat16,
  float16FromBits,
  roundToBfloat16,
  roundToFloat16,
} from '../graph/half_precision.js';
import { roundWeightsToInt4 } from '../graph/int4.js';
import { roundWeightsToInt8 } from '../graph/int8.js';
import type { FileRange, NativeDType } from '../native.js';
import { readFully, withFile } from './file_reading.js';

export type FileDType = FileRange['dtype'];

export const bytesPerElement: Readonly<Record<FileDType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** Integers in a checkpoint, such as the position_ids of older ones, are no parameters. */
export const isFloatingPoint = (dtype: FileDType): boolean => /^B?F\d/.test(dtype);

export function isFileDType(name: string): name is FileDType {
  return Object.hasOwn(bytesPerElement, name);
}

/**
 * Little-endian elements as numbers, of which all but 64-bit integers above 2^53 are exact.
 * @param bytes a whole number of elements, at any alignment.
 */
export function toFloat64(bytes: Uint8Array, dtype: FileDType): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytesPerElement[dtype];
  const values = new Float64Array(bytes.byteLength / size);
  const element = elementReaders[dtype];
  for (let i = 0; i < values.length; i++) values[i] = element(view, i * size);
  return values;
}

const elementReaders: Record<FileDType, (view: DataView, at: number) => number> = {
  F64: (view, at) => view.getFloat64(at, true),
  F32: (view, at) => view.getFloat32(at, true),
  F16: (view, at) => float16FromBits(view.getUint16(at, true)),
  BF16: (view, at) => bfloat16FromBits(view.getUint16(at, true)),
  I64: (view, at) => Number(view.getBigInt64(at, true)),
  I32: (view, at) => view.getInt32(at, true),
  I16: (view, at) => view.getInt16(at, true),
  I8: (view, at) => view.getInt8(at),
  U8: (view, at) => view.getUint8(at),
  BOOL: (view, at) => (view.getUint8(at) === 0 ? 0 : 1),
};

/** Rounds numbers, in place, to what a state of this dtype can hold. */
export function roundTo(
  dtype: 'float32' | 'float16' | 'bfloat16',
  values: Float64Array,
): Float64Array {
  const round = rounding[dtype];
  for (let i = 0; i < values.length; i++) values[i] = round(values[i]!);
  return values;
}

const rounding = { float32: Math.fround, float16: roundToFloat16, bfloat16: roundToBfloat16 };

/** The bytes of one tensor. @throws ERR_NOT_FOUND, ERR_FILE (also when the file has become shorter). */
export async function readRange(range: FileRange): Promise<Uint8Array> {
  return withFile(range.path, async (file, fileBytes) => {
    if (range.offset + range.bytes > fileBytes) {
      throw mismatch(
        'ERR_FILE',
        range.path,
        `at least ${range.offset + range.bytes} bytes`,
        `${fileBytes}`,
      );
    }
    const bytes = new Uint8Array(range.bytes);
    await readFully(file, bytes, range.offset, range.path);
    return bytes;
  });
}

/** The first contents of a state; see `StateSource` in lib/graph/state.ts. */
type Source =
  | { kind: 'file'; range: FileRange; transposed?: boolean }
  | { kind: 'files'; ranges: readonly FileRange[] }
  | { kind: 'data'; data: Float32Array | Int32Array | Uint16Array }
  | { kind: 'zeros' };

/**
 * The first contents of a state of the TypeScript backend, rounded as memory of `dtype` would have them.
 * @param shape of the state; a file must have as many elements.
 */
export async function readStateSource(
  source: Source,
  dtype: NativeDType,
  shape: readonly number[],
): Promise<Float64Array | Int32Array> {
  const count = shape.reduce((product, dim) => product * dim, 1);
  const stored = await valuesOf(source, dtype, count);
  const isTransposed = source.kind === 'file' && source.transposed;
  const values = isTransposed ? transpose(stored, shape[0] ?? 1) : stored;
  const where = source.kind === 'file' ? `${source.range.path}: tensor` : 'state';
  if (values.length !== count) {
    throw mismatch(
      'ERR_SHAPE',
      where,
      `${count} elements for [${shape.join(', ')}]`,
      `${values.length}`,
    );
  }
  if (dtype === 'int32') return toInt32(values, where);
  if (dtype === 'int8') return roundWeightsToInt8(values, shape[1] ?? 1);
  if (dtype === 'int4') return roundWeightsToInt4(values, shape[1] ?? 1);
  if (dtype === 'int8Blocks') throw mismatch('ERR_UNSUPPORTED', where, 'a dtype of states', dtype);
  return roundTo(dtype, values);
}

/** @param values a matrix [k, n]. @returns it as [n, k]. */
function transpose(values: Float64Array, n: number): Float64Array {
  const k = values.length / n;
  return values.map((_, i) => values[(i % k) * n + Math.floor(i / k)] ?? 0);
}

async function valuesOf(source: Source, dtype: NativeDType, count: number): Promise<Float64Array> {
  switch (source.kind) {
    case 'zeros':
      return new Float64Array(count);
    case 'data': {
      if (!(source.data instanceof Uint16Array)) return Float64Array.from(source.data);
      return Float64Array.from(
        source.data,
        dtype === 'float16' ? float16FromBits : bfloat16FromBits,
      );
    }
    case 'files': {
      const parts: number[][] = [];
      for (const range of source.ranges) {
        parts.push(Array.from(toFloat64(await readRange(range), range.dtype)));
      }
      return Float64Array.from(parts.flat());
    }
    case 'file':
      return toFloat64(await readRange(source.range), source.range.dtype);
  }
}

/** @throws ERR_FORMAT for a number that no int32 is. */
function toInt32(values: Float64Array, where: string): Int32Array {
  const integers = Int32Array.from(values);
  for (let i = 0; i < values.length; i++) {
    if (integers[i] !== values[i]) {
      throw mismatch('ERR_FORMAT', where, 'integers of 32 bits', `${values[i]}`);
    }
  }
  return integers;
}

/** The bits of numbers in half precision. */
export function encodeHalf(dtype: 'float16' | 'bfloat16', values: ArrayLike<number>): Uint16Array {
  return Uint16Array.from(values, dtype === 'float16' ? bitsOfFloat16 : bitsOfBfloat16);
}

/** Numbers as memory of `dtype` takes and gives them: half precision as bits, int8 and int4 as float32. */
export function storeAs(
  dtype: NativeDType,
  values: Float64Array | Int32Array,
): Float32Array | Int32Array | Uint16Array {
  switch (dtype) {
    case 'float32':
    case 'int8':
    case 'int4':
      return Float32Array.from(values);
    case 'int32':
      return Int32Array.from(values);
    case 'float16':
    case 'bfloat16':
      return encodeHalf(dtype, values);
    default:
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `no dtype of states: ${dtype satisfies 'int8Blocks'}`,
      );
  }
}
