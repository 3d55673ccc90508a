import { mismatch } from '../errors.js';
import { roundToBfloat16 } from '../graph/half_precision.js';
import { roundCachedToInt8 } from '../graph/int8.js';
import { checkOptions, checkSizes } from '../graph/options.js';
import { bytesOf, type Operand, registerOp } from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import type { NativeDType } from '../native.js';
import { checkIndices, dims, expectInt32, fixed, float32 } from './operands.js';
import { checkState } from './state.js';

/** Positions of one page; `kPagePositions` of native/kernels/page_size.h. */
export const pagePositions = 64;

/** How caches of keys and values are stored. */
export const cacheDTypes = ['float32', 'bfloat16', 'int8'] as const;
export type CacheDType = (typeof cacheDTypes)[number];

/** A cache as the ops see it: [pages·heads·64, size], row (page·heads + head)·64 + position. */
export function pagesOf(
  operand: Operand | undefined,
  name: string,
  heads: number,
): { pages: number; size: number; dtype: NativeDType } {
  const dtype = operand?.dtype ?? 'none';
  if (!operand || !(cacheDTypes as readonly string[]).includes(dtype)) {
    throw mismatch('ERR_SHAPE', name, cacheDTypes.join(', '), dtype);
  }
  const [rows, width] = dims(operand, name, ['pages·heads·64', 'size']);
  const pages = fixed(rows, name) / (heads * pagePositions);
  if (!(Number.isInteger(pages) && pages > 0)) {
    const expected = `a whole number of pages of ${heads} heads`;
    throw mismatch('ERR_SHAPE', name, expected, `${rows} rows`);
  }
  return { pages, size: fixed(width, name), dtype: operand.dtype };
}

/** The row of a cache that holds a head of the position at `slot`. */
export const cacheRow = (slot: number, head: number, heads: number): number =>
  (Math.floor(slot / pagePositions) * heads + head) * pagePositions + (slot % pagePositions);

/** Rounds a row to what a cache of that dtype holds of it. */
function rounded(values: Float64Array, dtype: NativeDType): Float64Array {
  if (dtype === 'bfloat16') return values.map(roundToBfloat16);
  return dtype === 'int8' ? roundCachedToInt8(values) : values;
}

type PageAttributes = { heads: number; transposed: boolean; dtype: NativeDType };

const appendRule = registerOp<PageAttributes>({
  name: 'appendPages',
  operands: ['pages', 'source', 'slots'],
  writes: [0],
  infer([pages, source, slots], { heads }) {
    const { size, dtype } = pagesOf(pages, 'pages', heads);
    const [rows, columns] = dims(float32(source, 'source'), 'source', ['rows', 'columns']);
    if (columns !== heads * size) {
      throw mismatch('ERR_SHAPE', 'source', `${heads * size} columns`, `${columns}`);
    }
    expectInt32(slots, 'slots', [rows]);
    return { shape: pages?.shape ?? [], dtype };
  },
  reference([pages, source, slots], { heads, dtype }, { data }) {
    const [rows, size] = pages.shape;
    const places = checkIndices(slots, rows / heads, 'slots');
    places.forEach((slot, row) => {
      for (let head = 0; head < heads; head++) {
        const from = (row * heads + head) * size;
        const values = Float64Array.from(source.data.subarray(from, from + size));
        data.set(rounded(values, dtype), cacheRow(slot, head, heads) * size);
      }
    });
  },
  lower: ({ heads, transposed }) => ({
    kernel: 'appendPages',
    operands: [1, 2],
    ints: [heads, Number(transposed)],
    floats: [],
  }),
  cost: ([, source]) => ({ flops: 0, bytes: 2 * bytesOf(source) }),
});

/** What a cache is for: keys are laid out for the products that they are read for. */
export type PageKind = 'keys' | 'values';

/**
 * Writes rows into the slots of a cache; slot = 64·page + position in it. pages: a state [pages·heads·64, size], float32,
 * bfloat16 or int8 (a scale for each row); source: float32 [rows, heads·size]; slots: int32 [rows], a run-time input, no two
 * alike. @returns the state as it is afterwards.
 */
export function appendPages(
  pages: Tensor,
  source: Tensor,
  slots: Tensor,
  options: { heads: number; kind: PageKind },
): Tensor {
  checkState(pages, 'appendPages');
  checkOptions('appendPages', options, ['heads', 'kind']);
  const { heads, kind } = options;
  checkSizes('appendPages', { heads });
  const attributes = { heads, transposed: kind === 'keys', dtype: pages.dtype };
  return record(appendRule, [pages, source, slots], attributes);
}

const copyRule = registerOp<{ heads: number }>({
  name: 'copyPages',
  operands: ['pages', 'from', 'to'],
  writes: [0],
  infer([pages, from, to], { heads }) {
    const { dtype } = pagesOf(pages, 'pages', heads);
    expectInt32(from, 'from', [from?.shape[0] ?? 0]);
    expectInt32(to, 'to', [from?.shape[0] ?? 0]);
    return { shape: pages?.shape ?? [], dtype };
  },
  reference([pages, from, to], { heads }, { data }) {
    const [rows, size] = pages.shape;
    const block = heads * pagePositions * size;
    const count = rows / (heads * pagePositions);
    const [sources, targets] = [checkIndices(from, count, 'from'), checkIndices(to, count, 'to')];
    sources.forEach((source, i) => {
      data.copyWithin(targets[i] * block, source * block, (source + 1) * block);
    });
  },
  lower: ({ heads }) => ({ kernel: 'copyPages', operands: [1, 2], ints: [heads], floats: [] }),
  cost: ([pages, from], { heads }) => ({
    flops: 0,
    bytes:
      2 * from.shape[0] * bytesOf({ ...pages, shape: [heads * pagePositions, pages.shape[1]] }),
  }),
});

/** Copies whole pages of a cache: page from[i] to page to[i], both int32 [count], run-time inputs. @returns the state afterwards. */
export function copyPages(
  pages: Tensor,
  from: Tensor,
  to: Tensor,
  options: { heads: number },
): Tensor {
  checkState(pages, 'copyPages');
  checkOptions('copyPages', options, ['heads']);
  checkSizes('copyPages', options);
  return record(copyRule, [pages, from, to], options);
}

const readRule = registerOp<{ heads: number; transposed: boolean }>({
  name: 'readPages',
  operands: ['pages', 'slots'],
  infer([pages, slots], { heads }) {
    const { size } = pagesOf(pages, 'pages', heads);
    const rows = slots?.shape[0] ?? 0;
    expectInt32(slots, 'slots', [rows]);
    return { shape: [rows, heads * size], dtype: 'float32' };
  },
  reference([pages, slots], { heads }, { data }) {
    const [rows, size] = pages.shape;
    checkIndices(slots, rows / heads, 'slots').forEach((slot, row) => {
      for (let head = 0; head < heads; head++) {
        const from = cacheRow(slot, head, heads) * size;
        data.set(pages.data.subarray(from, from + size), (row * heads + head) * size);
      }
    });
  },
  lower: ({ heads, transposed }) => ({
    kernel: 'readPages',
    ints: [heads, Number(transposed)],
    floats: [],
  }),
  cost: (_, __, output) => ({ flops: 0, bytes: 2 * bytesOf(output) }),
});

/** What is in the slots of a cache, int32 [rows]: float32 [rows, heads·size]. */
export function readPages(
  pages: Tensor,
  slots: Tensor,
  options: { heads: number; kind: PageKind },
): Tensor {
  checkOptions('readPages', options, ['heads', 'kind']);
  const { heads, kind } = options;
  checkSizes('readPages', { heads });
  return record(readRule, [pages, slots], { heads, transposed: kind === 'keys' });
}
