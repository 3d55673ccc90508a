import { HeddleError, mismatch } from '../errors.js';
import { describeValue } from '../graph/options.js';
import type { Dim } from '../graph/shape.js';
import { Tensor, tensor } from '../graph/tensor.js';

/** How the rows of a packed batch belong to sequences: no row is padding. */
export interface Sequences {
  /** Rows in all. */
  readonly rows: Dim;
  readonly count: Dim;
  /** int32 [count + 1]: sequence s has the rows from offsets[s] up to offsets[s + 1]. */
  readonly offsets: Tensor;
  /** int32 [rows]: the row's place in its sequence as the caller counts it, for windows and relative biases. */
  readonly positions: Tensor;
  /** int32 [rows]: the rows' places as keys, where some rows must not be seen; see `unseen`. */
  readonly keyPositions?: Tensor | undefined;
  /** Rows that are seen by none and may see none. */
  readonly blind?: BlindSequences | undefined;
}

/** Which rows take the mean of all values of their sequence where their attention sees nothing. */
export interface BlindSequences {
  /** The sequences, and an empty one. */
  readonly count: Dim;
  /** int32 [count + 1]. */
  readonly offsets: Tensor;
  /** int32 [rows]: the sequence that the row takes the mean of, the empty one for most. */
  readonly sequences: Tensor;
  /** int32 [rows]: 1 where the row is a token, 0 where it is padding. */
  readonly isToken: Tensor;
}

/**
 * A row whose place as a key is its position plus this is seen by no query, but still sees the others: padding whose
 * result somebody wants.
 */
export const unseen = 2 ** 22;

/** Token ids of several sequences, one after the other. */
export interface PackedIds extends Sequences {
  /** int32 [rows]. */
  readonly ids: Tensor;
}

/** Throws ERR_ARGUMENT unless `value` is what `pack` returns. */
export function expectPacked(value: PackedIds, where: string): void {
  if (!(value?.ids instanceof Tensor && value.offsets instanceof Tensor)) {
    throw mismatch('ERR_ARGUMENT', where, 'sequences that were packed', describeValue(value));
  }
}

/** Packs id lists whose lengths are known now. Throws ERR_INPUT naming sequence and place. */
export function pack(sequences: readonly (readonly number[])[]): PackedIds {
  checkSequences(sequences);
  const ids = Int32Array.from(sequences.flat());
  const offsets = new Int32Array(sequences.length + 1);
  sequences.forEach((sequence, i) => {
    offsets[i + 1] = (offsets[i] ?? 0) + sequence.length;
  });
  if (ids.length === 0)
    throw new HeddleError('ERR_INPUT', 'pack: expected at least one id, found none');
  const positions = Int32Array.from(sequences.flatMap((sequence) => sequence.map((_, i) => i)));
  return {
    rows: ids.length,
    count: sequences.length,
    ids: tensor(ids),
    offsets: tensor(offsets),
    positions: tensor(positions),
  };
}

function checkSequences(sequences: unknown): void {
  if (!Array.isArray(sequences)) {
    throw mismatch('ERR_INPUT', 'pack', 'an array of sequences of ids', describeValue(sequences));
  }
  // Array.from, here and below: forEach would pass over the holes of a sparse array.
  Array.from(sequences).forEach((sequence, i) => {
    if (!Array.isArray(sequence)) {
      throw mismatch('ERR_INPUT', `pack: [${i}]`, 'an array of ids', describeValue(sequence));
    }
    Array.from(sequence).forEach((id, at) => {
      if (!(Number.isInteger(id) && id >= 0 && id < 2 ** 31)) {
        const expected = 'a whole number from 0 to 2^31 − 1';
        throw mismatch('ERR_INPUT', `pack: [${i}][${at}]`, expected, describeValue(id));
      }
    });
  });
}
