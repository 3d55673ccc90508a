import { mismatch } from '../errors.js';
import { checkFloat, checkOptions, checkSizes } from '../graph/options.js';
import { bytesOf, type ReferenceTensor, registerOp } from '../graph/rules.js';
import type { Dim } from '../graph/shape.js';
import { record, type Tensor } from '../graph/tensor.js';
import { cacheRow, pagePositions, pagesOf } from './kv_pages.js';
import { checkIndices, checkOffsets, dims, expectInt32, float32, offsets } from './operands.js';

/** Positions that one part of a row's attention covers; `kPartPositions` of native/kernels/page_size.h. */
export const partPositions = 512;

/** Which cached positions each segment of rows attends to; all int32, run-time inputs. */
export interface PagedSegments {
  /** [segments + 1]: row offsets; the rows of a segment are the last of its positions. */
  segments: Tensor;
  /** [segments]: cached positions, those of the rows included. */
  lengths: Tensor;
  /** [segments + 1] and [pages]: the pages of each segment, in order. */
  tableOffsets: Tensor;
  tables: Tensor;
  /**
   * [rows + 1]: how many parts each row's work is cut into, so that a team can share it; one, or as many as there are 512
   * positions, and alike in a segment. Results do not depend on it.
   */
  partOffsets: Tensor;
  /** The last of `partOffsets`. */
  parts: Dim;
}

export interface PagedAttentionOptions {
  heads: number;
  keyHeads: number;
  scale: number;
  /** Scores become softCap·tanh(score / softCap); 0: they do not. */
  softCap?: number;
  /** Positions that a row sees, its own included; left out: all up to its own. */
  window?: number | undefined;
  /** Added to the scores by the key's position: float32 [heads, 1, positions]. */
  bias?: Tensor | undefined;
}

type Attributes = {
  heads: number;
  keyHeads: number;
  left: number;
  scale: number;
  softCap: number;
  parts: Dim;
};

const partsRule = registerOp<Attributes>({
  name: 'pagedAttention',
  operands: [
    'q',
    'keys',
    'values',
    'segments',
    'lengths',
    'tableOffsets',
    'tables',
    'partOffsets',
    'bias?',
  ],
  infer(operands, { heads, keyHeads, scale, softCap, parts }) {
    const [q, keys, values, segments, lengths, tableOffsets, tables, partOffsets, bias] = operands;
    checkFloat('scale', scale);
    checkFloat('softCap', softCap, 0);
    if (heads % keyHeads !== 0) {
      throw mismatch(
        'ERR_SHAPE',
        'heads',
        'a multiple of the key heads',
        `${heads} of ${keyHeads}`,
      );
    }
    const [, width] = dims(float32(q, 'q'), 'q', ['rows', 'heads·size']);
    const { pages, size } = pagesOf(keys, 'keys', keyHeads);
    const other = pagesOf(values, 'values', keyHeads);
    if (width !== heads * size) {
      throw mismatch('ERR_SHAPE', 'q', `${heads * size} columns`, `${width}`);
    }
    if (other.pages !== pages) {
      throw mismatch('ERR_SHAPE', 'values', `${pages} pages, as keys have`, `${other.pages}`);
    }
    offsets(segments, 'segments');
    expectInt32(lengths, 'lengths', [lengths?.shape[0] ?? 0]);
    offsets(tableOffsets, 'tableOffsets');
    expectInt32(tables, 'tables', [tables?.shape[0] ?? 0]);
    offsets(partOffsets, 'partOffsets');
    if (bias) {
      const shape = dims(float32(bias, 'bias'), 'bias', ['heads', '1', 'positions']);
      if (shape[0] !== heads || shape[1] !== 1) {
        throw mismatch('ERR_SHAPE', 'bias', `[${heads}, 1, positions]`, `[${shape.join(', ')}]`);
      }
    }
    return { shape: [parts, heads * (other.size + 2)], dtype: 'float32' };
  },
  reference(operands, attributes, { shape, data }) {
    const { heads } = attributes;
    const size = operands[2].shape[1];
    eachPart(operands, attributes, (part, head, scores, row) => {
      const at = part * shape[1];
      const largest = scores.reduce((most, { score }) => Math.max(most, score), -Infinity);
      let sum = 0;
      for (const { score, slot } of scores) {
        const weight = Math.exp(score - largest);
        sum += weight;
        for (let i = 0; i < size; i++) {
          data[at + head * size + i] += weight * operands[2].data[row(slot) * size + i];
        }
      }
      data[at + heads * size + head] = largest;
      data[at + heads * (size + 1) + head] = sum;
    });
  },
  lower: ({ heads, keyHeads, left, scale, softCap }) => ({
    kernel: 'pagedAttention',
    ints: [heads, keyHeads, left],
    floats: [scale, softCap],
  }),
  cost([q, keys, values, segments, lengths], { heads, keyHeads, left }, output) {
    let pairs = 0;
    let positions = 0;
    lengths.data?.forEach((length, i) => {
      const rows = (segments.data?.[i + 1] ?? 0) - (segments.data?.[i] ?? 0);
      const window = left < 0 ? length : left + 1;
      pairs += rows * Math.min(length, window);
      positions += Math.min(length, window + Math.max(0, rows - 1));
    });
    const cached = [keys, values].map((cache) =>
      bytesOf({ ...cache, shape: [positions * keyHeads, cache.shape[1]] }),
    );
    return {
      flops: pairs * heads * (2 * (keys.shape[1] + values.shape[1]) + 12),
      bytes: bytesOf(q) + bytesOf(output) + cached[0] + cached[1],
    };
  },
});

interface Score {
  score: number;
  slot: number;
}

/** Calls `use` for each part and head with the scores of the positions that its row sees there. */
function eachPart(
  operands: readonly ReferenceTensor[],
  { heads, keyHeads, left, scale, softCap }: Attributes,
  use: (part: number, head: number, scores: Score[], row: (slot: number) => number) => void,
): void {
  const [q, keys, , segments, lengths, tableOffsets, tables, partOffsets] = operands;
  const bias = operands[8] as ReferenceTensor | undefined;
  const size = keys.shape[1];
  const bounds = checkOffsets(segments, q.shape[0], 'segments');
  const pageBounds = checkOffsets(tableOffsets, tables.shape[0], 'tableOffsets');
  const pages = checkIndices(tables, keys.shape[0] / (keyHeads * pagePositions), 'tables');
  const parts = partOffsets.data;
  for (let segment = 0; segment + 1 < bounds.length; segment++) {
    const length = lengths.data[segment];
    const count = bounds[segment + 1] - bounds[segment];
    const room = (pageBounds[segment + 1] - pageBounds[segment]) * pagePositions;
    if (!(length >= count && length <= room)) {
      throw mismatch('ERR_INPUT', `lengths[${segment}]`, `${count} to ${room}`, `${length}`);
    }
    const slotOf = (position: number): number =>
      pages[pageBounds[segment] + Math.floor(position / pagePositions)] * pagePositions +
      (position % pagePositions);
    for (let row = bounds[segment]; row < bounds[segment + 1]; row++) {
      const position = length - (bounds[segment + 1] - row);
      const own = parts[row + 1] - parts[row];
      for (let head = 0; head < heads; head++) {
        const keyHead = Math.floor(head / (heads / keyHeads));
        const rowOf = (slot: number): number => cacheRow(slot, keyHead, keyHeads);
        for (let part = 0; part < own; part++) {
          const end = part + 1 === own ? position + 1 : (part + 1) * partPositions;
          const scores: Score[] = [];
          for (let key = part * partPositions; key < Math.min(end, position + 1); key++) {
            if (left >= 0 && position - key > left) continue;
            let score = 0;
            for (let i = 0; i < size; i++) {
              const at = (row * heads + head) * size + i;
              score += q.data[at] * keys.data[rowOf(slotOf(key)) * size + i];
            }
            score *= scale;
            if (softCap > 0) score = softCap * Math.tanh(score / softCap);
            score += bias ? bias.data[head * bias.shape[2] + key] : 0;
            scores.push({ score, slot: slotOf(key) });
          }
          use(parts[row] + part, head, scores, rowOf);
        }
      }
    }
  }
}

const joinRule = registerOp<{ heads: number; rows: Dim }>({
  name: 'joinParts',
  operands: ['parts', 'partOffsets'],
  infer([parts, partOffsets], { heads, rows }) {
    const [, width] = dims(float32(parts, 'parts'), 'parts', ['parts', 'heads·(size + 2)']);
    offsets(partOffsets, 'partOffsets');
    return { shape: [rows, (width as number) - 2 * heads], dtype: 'float32' };
  },
  reference([parts, partOffsets], { heads }, { shape, data }) {
    const [rows, columns] = shape;
    const size = columns / heads;
    const width = parts.shape[1];
    const bounds = checkOffsets(partOffsets, parts.shape[0], 'partOffsets');
    for (let row = 0; row < rows; row++) {
      for (let head = 0; head < heads; head++) {
        const own = Array.from(
          { length: bounds[row + 1] - bounds[row] },
          (_, i) => (bounds[row] + i) * width,
        );
        const maximum = (at: number): number => parts.data[at + columns + head];
        const largest = own.reduce((most, at) => Math.max(most, maximum(at)), -Infinity);
        let sum = 0;
        for (const at of own) {
          const factor = largest === -Infinity ? 0 : Math.exp(maximum(at) - largest);
          sum += factor * parts.data[at + columns + heads + head];
          for (let i = head * size; i < (head + 1) * size; i++) {
            data[row * columns + i] += factor * parts.data[at + i];
          }
        }
        for (let i = head * size; i < (head + 1) * size; i++) {
          data[row * columns + i] /= sum === 0 ? 1 : sum;
        }
      }
    }
  },
  lower: ({ heads }) => ({ kernel: 'joinParts', ints: [heads], floats: [] }),
  cost: ([parts], _, output) => ({
    flops: 2 * parts.shape[0] * parts.shape[1],
    bytes: bytesOf(parts) + bytesOf(output),
  }),
});

/**
 * Causal attention of packed rows to what a cache holds of their sequences, their own keys and values included. q: float32
 * [rows, heads·size]; keys, values: caches as `appendPages` leaves them. @returns float32 [rows, heads·size of a value].
 */
export function pagedAttention(
  q: Tensor,
  keys: Tensor,
  values: Tensor,
  where: PagedSegments,
  options: PagedAttentionOptions,
): Tensor {
  const known = ['heads', 'keyHeads', 'scale', 'softCap', 'window', 'bias'] as const;
  checkOptions('pagedAttention', options, known);
  const { heads, keyHeads, scale, softCap = 0, window, bias } = options;
  checkSizes('pagedAttention', { heads, keyHeads });
  if (window !== undefined) checkSizes('pagedAttention', { window });
  const { segments, lengths, tableOffsets, tables, partOffsets, parts } = where;
  const left = window === undefined ? -1 : window - 1;
  const sums = record(
    partsRule,
    [q, keys, values, segments, lengths, tableOffsets, tables, partOffsets, bias],
    { heads, keyHeads, left, scale, softCap, parts },
  );
  return record(joinRule, [sums, partOffsets], { heads, rows: q.shape[0] });
}
