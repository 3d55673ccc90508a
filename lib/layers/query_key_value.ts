/** How a layer's rows become queries, keys and values: three projections, or one that is cut up. */
import type { Tensor } from '../graph/tensor.js';
import { type ColumnBlocks, columns } from '../ops/index.js';
import { Linear } from './linear.js';
import type { Scope } from './scope.js';

/** Heads of attention: `keyHeads` divide `heads`, and each serves as many of them (Ainslie et al. 2023). */
export interface Heads {
  readonly heads: number;
  readonly keyHeads: number;
  /** Width of one head. */
  readonly size: number;
}

export interface QueryKeyValue {
  /** x: float32 [rows, width]. @returns q [rows, heads·size], k and v [rows, keyHeads·size]. */
  forward(x: Tensor): { q: Tensor; k: Tensor; v: Tensor };
}

/** Three weights, each under its own name; or the rows of one weight, where all names are the same. */
export class SeparateProjections implements QueryKeyValue {
  private readonly query: Linear;
  private readonly key: Linear;
  private readonly value: Linear;

  /** @param names of the three; a single one where their weights are stacked, in this order. */
  constructor(
    width: number,
    { heads, keyHeads, size }: Heads,
    options: { names: readonly [string, string, string] | string; bias: boolean; scope: Scope },
  ) {
    const { names, bias, scope } = options;
    const [queryWidth, keyWidth] = [heads * size, keyHeads * size];
    const projection = (index: 0 | 1 | 2, outputs: number, first: number): Linear => {
      const isStacked = typeof names === 'string';
      const part = isStacked ? { first, of: queryWidth + 2 * keyWidth } : undefined;
      const name = isStacked ? names : names[index];
      return new Linear(width, outputs, { bias, part, scope: scope.at(name) });
    };
    this.query = projection(0, queryWidth, 0);
    this.key = projection(1, keyWidth, queryWidth);
    this.value = projection(2, keyWidth, queryWidth + keyWidth);
  }

  forward(x: Tensor): { q: Tensor; k: Tensor; v: Tensor } {
    return { q: this.query.forward(x), k: this.key.forward(x), v: this.value.forward(x) };
  }
}

/** One product, whose columns are then put where they belong: for weights in which heads lie between each other. */
export class FusedProjection implements QueryKeyValue {
  private readonly all: Linear;
  private readonly blocks: readonly [ColumnBlocks, ColumnBlocks, ColumnBlocks];

  /**
   * @param options.byKeyHead the columns are, for each key head: its query heads, its key, its value (GPT-NeoX, Falcon);
   * otherwise all queries, all keys, all values. @param options.transposed see `Linear`.
   */
  constructor(
    width: number,
    { heads, keyHeads, size }: Heads,
    options: { byKeyHead: boolean; bias: boolean; transposed?: boolean; scope: Scope },
  ) {
    const { byKeyHead, bias, transposed, scope } = options;
    const outputs = (heads + 2 * keyHeads) * size;
    this.all = new Linear(width, outputs, { bias, transposed, scope });
    const group = (heads / keyHeads) * size;
    const block = (first: number, blockSize: number): ColumnBlocks => ({
      first,
      step: group + 2 * size,
      size: blockSize,
      count: keyHeads,
    });
    const run = (first: number, count: number): ColumnBlocks => ({
      first: first * size,
      step: count * size,
      size: count * size,
      count: 1,
    });
    this.blocks = byKeyHead
      ? [block(0, group), block(group, size), block(group + size, size)]
      : [run(0, heads), run(heads, keyHeads), run(heads + keyHeads, keyHeads)];
  }

  forward(x: Tensor): { q: Tensor; k: Tensor; v: Tensor } {
    const all = this.all.forward(x);
    const [q, k, v] = this.blocks;
    return { q: columns(all, q), k: columns(all, k), v: columns(all, v) };
  }
}
