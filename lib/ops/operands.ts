/** The checks that the shape rules of the ops share. `record` adds op, layer and shapes to what they throw. */
import { mismatch } from '../errors.js';
import type { Operand, ReferenceTensor } from '../graph/rules.js';
import { type Dim, formatShape, type Shape, sameShape } from '../graph/shape.js';
import type { NativeDType } from '../native.js';

function present(operand: Operand | undefined, name: string): Operand {
  if (!operand) throw mismatch('ERR_SHAPE', name, 'a tensor', 'none');
  return operand;
}

export function float32(operand: Operand | undefined, name: string): Operand {
  const given = present(operand, name);
  if (given.dtype !== 'float32') throw mismatch('ERR_SHAPE', name, 'float32', given.dtype);
  return given;
}

/** Rows of x as they are multiplied with a weight of this dtype: float32, int8, or int8 in blocks. */
export function rowsFor(
  weight: NativeDType | undefined,
  operand: Operand | undefined,
  name: string,
): Operand {
  const given = present(operand, name);
  const expected =
    weight === 'int8' ? 'int8' : weight === 'int4' ? ('int8Blocks' as const) : 'float32';
  if (given.dtype !== expected) throw mismatch('ERR_SHAPE', name, expected, given.dtype);
  return given;
}

/** A parameter that may be stored in half precision or as int8. */
export function anyFloat(operand: Operand | undefined, name: string): Operand {
  const given = present(operand, name);
  if (given.dtype === 'int32' || given.dtype === 'int4' || given.dtype === 'int8Blocks')
    throw mismatch('ERR_SHAPE', name, 'float32, float16, bfloat16 or int8', given.dtype);
  return given;
}

/** A parameter that products have kernels for: as `anyFloat`, or int4. */
export function matrix(operand: Operand | undefined, name: string): Operand {
  const given = present(operand, name);
  if (given.dtype === 'int32' || given.dtype === 'int8Blocks')
    throw mismatch('ERR_SHAPE', name, 'float32, float16, bfloat16, int8 or int4', given.dtype);
  return given;
}

/** The dims of an operand of a given rank. */
export function dims<const N extends readonly string[]>(
  operand: Operand,
  name: string,
  names: N,
): { [K in keyof N]: Dim } {
  if (operand.shape.length !== names.length) {
    throw mismatch('ERR_SHAPE', name, `shape [${names.join(', ')}]`, formatShape(operand.shape));
  }
  return operand.shape as unknown as { [K in keyof N]: Dim };
}

export function expectShape(operand: Operand | undefined, name: string, shape: Shape): void {
  if (operand && !sameShape(operand.shape, shape)) {
    throw mismatch('ERR_SHAPE', name, `shape ${formatShape(shape)}`, formatShape(operand.shape));
  }
}

export function expectFloat32(operand: Operand | undefined, name: string, shape: Shape): void {
  if (!operand) return;
  float32(operand, name);
  expectShape(operand, name, shape);
}

export function expectInt32(operand: Operand | undefined, name: string, shape: Shape): void {
  const given = present(operand, name);
  if (given.dtype !== 'int32') throw mismatch('ERR_SHAPE', name, 'int32', given.dtype);
  expectShape(given, name, shape);
}

/** A dimension that must be known while tracing, such as a feature width. */
export function fixed(dim: Dim, name: string): number {
  if (typeof dim !== 'number') throw mismatch('ERR_SHAPE', name, 'a fixed size', `symbolic ${dim}`);
  return dim;
}

/** Row offsets [0, …, rows] of a packed batch: int32 [segments + 1]. */
export function offsets(operand: Operand | undefined, name: string): Dim {
  const given = present(operand, name);
  if (given.dtype !== 'int32') throw mismatch('ERR_SHAPE', name, 'int32', given.dtype);
  return dims(given, name, ['segments + 1'])[0];
}

/** Throws ERR_INPUT unless every index lies in [0, bound): the float64 backend's own range check. */
export function checkIndices(indices: ReferenceTensor, bound: number, name: string): Int32Array {
  const data = indices.data as Int32Array;
  data.forEach((index, i) => {
    if (!(index >= 0 && index < bound)) {
      throw mismatch(
        'ERR_INPUT',
        `${name}[${i}]`,
        `an index from 0 to ${bound - 1}`,
        String(index),
      );
    }
  });
  return data;
}

/** Throws ERR_INPUT unless the offsets rise from 0 to `rows`. */
export function checkOffsets(segments: ReferenceTensor, rows: number, name: string): Int32Array {
  const data = segments.data as Int32Array;
  const rises = data.every((offset, i) => offset >= (data[i - 1] ?? 0));
  if (data.length === 0 || data[0] !== 0 || data.at(-1) !== rows || !rises) {
    throw mismatch(
      'ERR_INPUT',
      name,
      `offsets rising from 0 to ${rows}`,
      `[${data.slice(0, 8).join(', ')}…]`,
    );
  }
  return data;
}
