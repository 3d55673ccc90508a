import type { Feeds } from '../graph/run.js';
import { SymbolicDim } from '../graph/shape.js';
import { input, type Tensor } from '../graph/tensor.js';
import { Embedding } from './embedding.js';
import { Layer } from './layer.js';
import { LayerNorm } from './norm.js';
import type { LayerOptions } from './scope.js';

export interface RelativeEmbeddingsOptions extends LayerOptions {
  dModel: number;
  /** Distances that are told apart before and after a token: so many rows twice. */
  span: number;
  /** Where distances share rows: half of the span's rows are for single distances, and `reach` is in the last but one. */
  bucketed?: { reach: number } | undefined;
  /** Epsilon of a norm of the rows; left out: there is none. */
  normEpsilon?: number | undefined;
  names: { table: string; norm: string };
}

/**
 * One vector for each bucket of distances between two tokens, for all layers (He et al. 2021, "DeBERTa", section 3.1; buckets
 * as in its second version). A run computes those that its texts are long enough for: layers project them every time,
 * which for a short text costs more than the text itself.
 */
export class RelativeEmbeddings extends Layer {
  /** float32 [rows in use, dModel]. */
  readonly rows: Tensor;
  /** int32 [2D + 1]: the row of each distance, key minus query, from −D on. */
  readonly buckets: Tensor;
  private readonly count = new SymbolicDim('relative rows');
  private readonly distances = new SymbolicDim('relative distances');
  private readonly span: number;
  private readonly reach: number | undefined;

  constructor(options: RelativeEmbeddingsOptions) {
    const known = ['dModel', 'span', 'bucketed', 'normEpsilon', 'names'];
    super('RelativeEmbeddings', options, known);
    const { dModel, span, bucketed, normEpsilon: epsilon, names } = options;
    this.span = span;
    this.reach = bucketed?.reach;
    const table = new Embedding(2 * span, dModel, { scope: this.scope.at(names.table) });
    const rows = table.forward(input('relativeRows', [this.count], 'int32'));
    this.rows =
      epsilon === undefined
        ? rows
        : new LayerNorm(dModel, { epsilon, scope: this.scope.at(names.norm) }).forward(rows);
    this.buckets = input('relativeBuckets', [this.distances], 'int32');
  }

  /** The inputs of a run in which no two tokens of a text are further apart than `farthest`. */
  feeds(farthest: number): { feeds: Feeds; sizes: [SymbolicDim, number][] } {
    const rowOf = (distance: number): number => {
      const bucket =
        this.reach === undefined ? distance : logBucket(distance, this.span, this.reach);
      return Math.min(Math.max(bucket + this.span, 0), 2 * this.span - 1);
    };
    const first = rowOf(-farthest);
    const relativeRows = Int32Array.from(
      { length: rowOf(farthest) - first + 1 },
      (_, i) => first + i,
    );
    // The paper counts query minus key.
    const relativeBuckets = Int32Array.from(
      { length: 2 * farthest + 1 },
      (_, i) => rowOf(farthest - i) - first,
    );
    return {
      feeds: { relativeRows, relativeBuckets },
      sizes: [
        [this.count, relativeRows.length],
        [this.distances, relativeBuckets.length],
      ],
    };
  }
}

/**
 * The bucket of a distance, with its sign: distances up to half of `buckets` have their own, those beyond share logarithmically
 * wider ones; in float32, as the models were trained.
 */
export function logBucket(distance: number, buckets: number, reach: number): number {
  const exact = Math.floor(buckets / 2);
  const apart = Math.abs(distance);
  if (apart <= exact) return distance;
  const log = (value: number): number => Math.fround(Math.log(Math.fround(value)));
  const ratio = Math.fround(log(apart / exact) / log((reach - 1) / exact));
  return Math.sign(distance) * (exact + Math.ceil(Math.fround(ratio * (exact - 1))));
}
