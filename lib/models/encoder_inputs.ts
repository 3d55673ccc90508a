import { HeddleError, mismatch } from '../errors.js';
import type { NdArray } from '../graph/run.js';
import { unseen } from '../layers/sequence.js';
import { type BlindRows, blindRows } from './padding.js';
import type { TextEncoder } from './text_encoder.js';

/** Inputs of an encoder as Hugging Face names them, in rows of equal length where a mask is given. */
export interface EncoderInputs {
  inputIds: readonly (readonly number[])[];
  /** 1 where a token counts, 0 for padding, which is left out of the computation. */
  attentionMask?: readonly (readonly number[])[] | undefined;
  tokenTypeIds?: readonly (readonly number[])[] | undefined;
  positionIds?: readonly (readonly number[])[] | undefined;
}

export const inputNames = ['inputIds', 'attentionMask', 'tokenTypeIds', 'positionIds'] as const;

/** The tokens of a batch that count, one row after the other: what plans are run on. */
export interface PackedBatch {
  readonly ids: Int32Array;
  readonly typeIds: Int32Array;
  readonly positionIds: Int32Array;
  /** Each token's column in the rows given, which relative biases count by. */
  readonly columns: Int32Array;
  /** [sequences + 1] */
  readonly offsets: Int32Array;
  /** The columns as attention's keys have them, where a batch holds padding: `unseen` further than the columns. */
  readonly keyColumns?: Int32Array | undefined;
  /** Rows of padding that see nothing, where the family makes something of that. */
  readonly blind?: BlindRows | undefined;
}

/**
 * Checks a batch and drops its padding. Throws ERR_INPUT naming row and column.
 * @param keepFirst keep each first token even if it is padding, which no other token then sees: Hugging Face's classifiers
 * read the first column whatever the mask says.
 * @param nameOf how messages name a row.
 */
export function packInputs(
  encoder: TextEncoder,
  inputs: EncoderInputs,
  keepFirst: boolean,
  nameOf: (row: number) => string = (row) => `[${row}]`,
): PackedBatch {
  const { inputIds, attentionMask, tokenTypeIds, positionIds } = inputs;
  if (!Array.isArray(inputIds) || inputIds.length === 0) {
    throw mismatch(
      'ERR_INPUT',
      'inputIds',
      'at least one row of ids',
      Array.isArray(inputIds) ? 'none' : typeof inputIds,
    );
  }
  checkRows('attentionMask', attentionMask, inputIds);
  checkRows('tokenTypeIds', tokenTypeIds, inputIds);
  checkRows('positionIds', positionIds, inputIds);
  const { paddingReach, limits } = encoder;
  const { vocabSize, positions, typeVocabSize } = limits;
  const packed = {
    ids: [] as number[],
    typeIds: [] as number[],
    positionIds: [] as number[],
    columns: [] as number[],
    keyColumns: [] as number[],
  };
  const offsets = new Int32Array(inputIds.length + 1);
  // Array.from, here and below: forEach would pass over the holes of a sparse array.
  Array.from(inputIds).forEach((ids, row) => {
    const where = nameOf(row);
    if (!Array.isArray(ids) || ids.length === 0) {
      const found = Array.isArray(ids) ? 'none' : typeof ids;
      throw mismatch('ERR_INPUT', `inputIds${where}`, 'an array of at least one id', found);
    }
    const keepsPadding = keepFirst && paddingReach !== undefined && attentionMask?.[row][0] === 0;
    const rowPositions = positionIds?.[row] ?? encoder.positionIds(ids, attentionMask?.[row]);
    Array.from(ids).forEach((id: number, column) => {
      const counts = attentionMask ? attentionMask[row][column] : 1;
      checkIndex(`attentionMask${where}[${column}]`, counts, 2);
      if (counts === 0 && !keepsPadding && !(keepFirst && column === 0)) return;
      const position = rowPositions[column];
      const typeId = tokenTypeIds ? tokenTypeIds[row][column] : 0;
      checkIndex(`inputIds${where}[${column}]`, id, vocabSize);
      if (position >= positions && !positionIds) {
        throw mismatch(
          'ERR_INPUT',
          `inputIds${where}`,
          `at most ${positions - (rowPositions[0] ?? 0)} tokens, as the model has ${positions} positions`,
          `${ids.length}`,
        );
      }
      checkIndex(`positionIds${where}[${column}]`, position, positions);
      checkIndex(`tokenTypeIds${where}[${column}]`, typeId, typeVocabSize);
      packed.ids.push(id);
      packed.typeIds.push(typeId);
      packed.positionIds.push(position);
      packed.columns.push(column);
      packed.keyColumns.push(counts === 0 ? column + unseen : column);
    });
    offsets[row + 1] = packed.ids.length;
  });
  if (packed.ids.length === 0) {
    throw new HeddleError(
      'ERR_INPUT',
      'inputIds: expected at least one token that is not masked, found none',
    );
  }
  const columns = Int32Array.from(packed.columns);
  const keyColumns = Int32Array.from(packed.keyColumns);
  const hidesKeys = keyColumns.some((column) => column >= unseen);
  return {
    ids: Int32Array.from(packed.ids),
    typeIds: Int32Array.from(packed.typeIds),
    positionIds: Int32Array.from(packed.positionIds),
    columns,
    offsets,
    ...(hidesKeys ? { keyColumns } : {}),
    ...(hidesKeys && paddingReach !== undefined
      ? { blind: blindRows(paddingReach, columns, keyColumns, offsets) }
      : {}),
  };
}

function checkRows(
  name: string,
  rows: readonly (readonly number[])[] | undefined,
  inputIds: readonly (readonly number[])[],
): void {
  if (rows === undefined) return;
  const lengths = (of: readonly (readonly number[])[]): string =>
    of.map((row) => row?.length).join(', ');
  if (!Array.isArray(rows) || lengths(rows) !== lengths(inputIds)) {
    const found = Array.isArray(rows) ? `rows of ${lengths(rows)}` : typeof rows;
    throw mismatch('ERR_INPUT', name, `the shape of inputIds, rows of ${lengths(inputIds)}`, found);
  }
}

function checkIndex(where: string, value: number, bound: number): void {
  if (!(Number.isInteger(value) && value >= 0 && value < bound)) {
    const expected =
      bound === Infinity ? 'a whole number from 0' : `a whole number from 0 to ${bound - 1}`;
    throw mismatch('ERR_INPUT', where, expected, String(value));
  }
}

/** Puts packed rows [rows, columns] back where they were: [batch, longest row, columns], 0 where masked. */
export function unpackRows(
  packed: NdArray,
  batch: PackedBatch,
  lengths: readonly number[],
): NdArray {
  const width = packed.shape[1] ?? 0;
  const longest = largest(lengths);
  const shape = [lengths.length, longest, width];
  if (!batch.keyColumns && batch.ids.length === lengths.length * longest) {
    return { data: packed.data, shape };
  }
  const data = new Float32Array(lengths.length * longest * width);
  eachRow(batch, (sequence, row) => {
    const to = (sequence * longest + batch.columns[row]) * width;
    data.set(packed.data.subarray(row * width, (row + 1) * width), to);
  });
  return { data, shape };
}

/** Puts packed pairs [heads, Σ length²] into [batch, heads, longest row, longest row], 0 where masked. */
export function unpackPairs(
  packed: NdArray,
  batch: PackedBatch,
  lengths: readonly number[],
): NdArray {
  const [heads = 0, total = 0] = packed.shape;
  const longest = largest(lengths);
  const data = new Float32Array(lengths.length * heads * longest * longest);
  const pairOffsets = pairOffsetsOf(batch.offsets);
  eachRow(batch, (sequence, row) => {
    const begin = batch.offsets[sequence];
    const length = batch.offsets[sequence + 1] - begin;
    for (let head = 0; head < heads; head++) {
      const from = head * total + pairOffsets[sequence] + (row - begin) * length;
      const to = ((sequence * heads + head) * longest + batch.columns[row]) * longest;
      for (let key = 0; key < length; key++)
        data[to + batch.columns[begin + key]] = packed.data[from + key];
    }
  });
  return { data, shape: [lengths.length, heads, longest, longest] };
}

/** Where each sequence's length² pairs begin: [0, …, Σ length²]. */
export function pairOffsetsOf(offsets: Int32Array): Int32Array {
  const pairs = new Int32Array(offsets.length);
  for (let i = 1; i < offsets.length; i++)
    pairs[i] = pairs[i - 1] + (offsets[i] - offsets[i - 1]) ** 2;
  return pairs;
}

/** Math.max takes its arguments from the stack, which a large batch would overflow. */
const largest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);

/** Visits every row that is not padding. */
function eachRow(batch: PackedBatch, visit: (sequence: number, row: number) => void): void {
  for (let sequence = 0; sequence + 1 < batch.offsets.length; sequence++) {
    for (let row = batch.offsets[sequence]; row < batch.offsets[sequence + 1]; row++) {
      if ((batch.keyColumns?.[row] ?? 0) < unseen) visit(sequence, row);
    }
  }
}
