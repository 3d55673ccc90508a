/** Sentence vectors in fewer bits, as sentence-transformers' quantize_embeddings makes them (util/quantization.py). */
import { mismatch } from '../errors.js';
import { describeValue } from '../graph/options.js';

export const precisions = ['float32', 'int8', 'uint8', 'binary', 'ubinary'] as const;

/**
 * `int8` and `uint8` divide each dimension's range into 256 steps; `ubinary` packs the signs of eight dimensions into a
 * byte, the first into its highest bit, and `binary` is that minus 128.
 */
export type Precision = (typeof precisions)[number];

/** The vectors that a precision gives. */
export type Vectors<P extends Precision> = P extends 'float32'
  ? Float32Array[]
  : P extends 'int8' | 'binary'
    ? Int8Array[]
    : Uint8Array[];

/** The least and the largest number of each dimension. */
export type Ranges = readonly [least: ArrayLike<number>, largest: ArrayLike<number>];

/**
 * @param ranges of `int8` and `uint8`; left out: those of the vectors themselves, which makes the bytes of one call
 * incomparable with another's.
 */
export function quantize<P extends Precision>(
  vectors: Float32Array[],
  precision: P,
  ranges?: Ranges,
): Vectors<P> {
  const made = (() => {
    if (precision === 'float32') return vectors;
    if (precision === 'ubinary') return vectors.map(signs);
    if (precision === 'binary') {
      return vectors.map((vector) => Int8Array.from(signs(vector), (byte) => byte - 128));
    }
    const steps = stepsOf(ranges ?? rangesOf(vectors));
    const bytes = vectors.map((vector) => inSteps(vector, steps));
    if (precision === 'uint8') return bytes;
    return bytes.map((vector) => Int8Array.from(vector, (byte) => byte - 128));
  })();
  return made as Vectors<P>;
}

/**
 * Throws ERR_ARGUMENT for a precision that there is not, for ranges of another width, and where `int8` or `uint8` of one
 * vector is wanted without ranges: each dimension would be its own least and largest number.
 */
export function checkPrecision(
  precision: Precision,
  ranges: Ranges | undefined,
  width: number,
  count: number,
): void {
  if (!precisions.includes(precision)) {
    const found = describeValue(precision);
    throw mismatch('ERR_ARGUMENT', 'embed: precision', precisions.join(', '), found);
  }
  const isStepped = precision === 'int8' || precision === 'uint8';
  if (ranges === undefined) {
    if (isStepped && count === 1) {
      const expected = `ranges, or several texts to take them from, for ${precision}`;
      throw mismatch('ERR_ARGUMENT', 'embed: precision', expected, 'one text without ranges');
    }
    return;
  }
  if (!isStepped) {
    throw mismatch('ERR_ARGUMENT', 'embed: ranges', 'them with int8 or uint8', `'${precision}'`);
  }
  const isRow = (row: unknown): boolean =>
    (Array.isArray(row) || ArrayBuffer.isView(row)) &&
    (row as ArrayLike<number>).length === width &&
    Array.from(row as ArrayLike<number>).every(Number.isFinite);
  if (!Array.isArray(ranges) || ranges.length !== 2 || !ranges.every(isRow)) {
    const expected = `[least, largest], each of ${width} finite numbers`;
    throw mismatch('ERR_ARGUMENT', 'embed: ranges', expected, describeValue(ranges));
  }
}

interface Steps {
  readonly starts: Float32Array;
  readonly sizes: Float32Array;
}

function rangesOf(vectors: readonly Float32Array[]): Ranges {
  const least = Float32Array.from(vectors[0] ?? []);
  const largest = Float32Array.from(least);
  for (const vector of vectors) {
    for (let i = 0; i < vector.length; i++) {
      least[i] = Math.min(least[i], vector[i]);
      largest[i] = Math.max(largest[i], vector[i]);
    }
  }
  return [least, largest];
}

/** In float32 as there, so that numbers at the edge of a step fall into the same one. */
function stepsOf([least, largest]: Ranges): Steps {
  const starts = Float32Array.from(least);
  const sizes = Float32Array.from(starts, (start, i) => {
    const size = Math.fround(Math.fround(Math.fround(largest[i]) - start) / 255);
    return size === 0 ? 1 : size;
  });
  return { starts, sizes };
}

function inSteps(vector: Float32Array, { starts, sizes }: Steps): Uint8Array {
  return Uint8Array.from(vector, (value, i) => {
    const step = Math.floor(Math.fround(Math.fround(value - starts[i]) / sizes[i]));
    return Math.min(255, Math.max(0, step));
  });
}

function signs(vector: Float32Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(vector.length / 8));
  vector.forEach((value, i) => {
    if (value > 0) bytes[i >> 3] |= 0x80 >> (i & 7);
  });
  return bytes;
}
