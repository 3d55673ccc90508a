import type { Feeds } from '../graph/run.js';
import { unseen } from '../layers/sequence.js';
import type { PackedBatch } from './encoder_inputs.js';

/**
 * How far padding sees tokens, for families in which the result of padding depends on it: positions, or −1 where it sees none.
 * A row that sees none takes the mean of all rows of its sequence, padding among them, as it comes out where scores are masked
 * with the lowest number there is.
 */
export type PaddingReach = number;

/** Rows that see no token, and the sequence that each takes the mean of. */
export interface BlindRows {
  /** [sequences + 2]: the offsets, and those of an empty sequence. */
  readonly offsets: Int32Array;
  /** [rows]: the number of a sequence, or for rows that see some token that of the empty one. */
  readonly sequences: Int32Array;
}

/** Finds the blind rows of a batch. @param keyColumns of rows that are padding, `unseen` more than the columns. */
export function blindRows(
  reach: PaddingReach,
  columns: Int32Array,
  keyColumns: Int32Array,
  offsets: Int32Array,
): BlindRows {
  const rows = columns.length;
  const count = offsets.length - 1;
  const sequences = new Int32Array(rows).fill(count);
  for (let sequence = 0; sequence < count; sequence++) {
    const all = Array.from(
      { length: offsets[sequence + 1] - offsets[sequence] },
      (_, i) => offsets[sequence] + i,
    );
    const tokens = all.filter((row) => keyColumns[row] < unseen);
    for (const row of all) {
      const sees = (other: number): boolean => Math.abs(columns[other] - columns[row]) <= reach;
      if (keyColumns[row] >= unseen && !tokens.some(sees)) sequences[row] = sequence;
    }
  }
  return { offsets: Int32Array.from([...offsets, rows]), sequences };
}

/** The inputs of a run whose batch holds padding; none where it does not. */
export function paddingFeeds(
  { columns, keyColumns, blind }: PackedBatch,
  reach: PaddingReach | undefined,
): Feeds {
  if (!keyColumns) return {};
  if (!blind) return { keyColumns };
  const isToken = keyColumns.map((column) => (column < unseen ? 1 : 0));
  const feeds = { blindOffsets: blind.offsets, blindSequences: blind.sequences, isToken };
  if (reach !== -1) return { ...feeds, keyColumns };
  // All tokens further on, so that padding is as far from them as they are from padding.
  return {
    ...feeds,
    columns: columns.map((column, row) => column + isToken[row] * unseen),
    keyColumns: keyColumns.map((column) => column + unseen),
  };
}
