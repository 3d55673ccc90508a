import { State } from '../graph/state.js';
import { stateTensor, type Tensor } from '../graph/tensor.js';
import {
  appendPages,
  type CacheDType,
  copyPages,
  type PagedSegments,
  pagedAttention,
  pagePositions,
  readPages,
} from '../ops/index.js';
import type { CausalScores, KeyValueCache } from './causal_attention.js';
import type { Heads } from './query_key_value.js';

/** What a cache holds: keys and values of every layer, in pages of 64 positions. */
export interface CacheShape extends Heads {
  readonly layers: number;
}

/** Bytes of one page, over all layers. */
export function pageBytes({ layers, keyHeads, size }: CacheShape, dtype: CacheDType): number {
  const rows = keyHeads * pagePositions;
  const row = { float32: 4 * size, bfloat16: 2 * size, int8: size + 8 }[dtype];
  return 2 * layers * rows * row;
}

/** The memory of cached keys and values: a state of each kind for each layer (see `appendPages`). */
export class KeyValuePages {
  private readonly keys: readonly State[];
  private readonly values: readonly State[];

  constructor(
    readonly shape: CacheShape,
    readonly pages: number,
    dtype: CacheDType,
  ) {
    const rows = pages * shape.keyHeads * pagePositions;
    const states = (kind: string): State[] =>
      Array.from(
        { length: shape.layers },
        (_, i) => new State(`${kind} of layer ${i}`, [rows, shape.size], dtype, { kind: 'zeros' }),
      );
    this.keys = states('keys');
    this.values = states('values');
  }

  /** The cache as one run uses it. @param copies pages that are copied before anything is written, both int32 [count]. */
  forRun(
    segments: PagedSegments,
    slots: Tensor,
    copies?: { from: Tensor; to: Tensor },
  ): KeyValueCache {
    const heads = this.shape.keyHeads;
    const append = (state: State, rows: Tensor, kind: 'keys' | 'values'): Tensor => {
      const before = stateTensor(state);
      const pages = copies ? copyPages(before, copies.from, copies.to, { heads }) : before;
      return appendPages(pages, rows, slots, { heads, kind });
    };
    return {
      attend: (layer, q, k, v, scores: CausalScores) => {
        const keys = append(this.keys[layer], k, 'keys');
        const values = append(this.values[layer], v, 'values');
        const { heads: queryHeads, keyHeads, scale, softCap, window, positionBias } = scores;
        const options = { heads: queryHeads, keyHeads, scale, softCap, window, bias: positionBias };
        return pagedAttention(q, keys, values, segments, options);
      },
    };
  }

  /** What all layers have in the slots, int32 [rows]: `keys.0`, `values.0` …, float32 [rows, keyHeads·size] each. */
  read(slots: Tensor): Record<string, Tensor> {
    const heads = this.shape.keyHeads;
    const entries = this.keys.flatMap((keys, i): [string, Tensor][] => [
      [`keys.${i}`, readPages(stateTensor(keys), slots, { heads, kind: 'keys' })],
      [`values.${i}`, readPages(stateTensor(this.values[i]), slots, { heads, kind: 'values' })],
    ]);
    return Object.fromEntries(entries);
  }

  /** Writes what `read` gave. @param rowsOf the rows for each of its names. @returns the writes. */
  write(slots: Tensor, rowsOf: (name: string) => Tensor): Tensor[] {
    const heads = this.shape.keyHeads;
    return this.keys.flatMap((keys, i) => [
      appendPages(stateTensor(keys), rowsOf(`keys.${i}`), slots, { heads, kind: 'keys' }),
      appendPages(stateTensor(this.values[i]), rowsOf(`values.${i}`), slots, {
        heads,
        kind: 'values',
      }),
    ]);
  }

  dispose(): void {
    for (const state of [...this.keys, ...this.values]) state.dispose();
  }
}
