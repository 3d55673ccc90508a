import type { Feeds } from '../graph/run.js';
import { SymbolicDim } from '../graph/shape.js';
import { input, type Tensor } from '../graph/tensor.js';
import type { EncoderBatch, ExtraFeeds } from '../models/encoder.js';
import type { PackedBatch } from '../models/encoder_inputs.js';

/** What a model's class has to say about packed ids: the part of `Encoder` that feeding it needs. */
export interface FedNetwork {
  positionIds(ids: readonly number[]): number[];
  extraFeeds(batch: PackedBatch): ExtraFeeds;
}

/** Inputs and sizes of one run. */
export interface Fed {
  feeds: Feeds;
  sizes: Map<SymbolicDim, number>;
}

/** Packed sequences of any lengths as the inputs of a graph, and what a run feeds them. */
export class PackedInputs {
  readonly rows: SymbolicDim;
  readonly count: SymbolicDim;
  private readonly bounds: SymbolicDim;
  readonly batch: EncoderBatch;

  /**
   * @param name of the inputs, which must differ within a graph.
   * @param beside sequences of which each belongs to one of these, such as the sources of targets.
   */
  constructor(
    private readonly name: string,
    private readonly network?: FedNetwork,
    beside?: PackedInputs,
  ) {
    this.rows = new SymbolicDim(`${name} rows`);
    this.count = beside?.count ?? new SymbolicDim('segments');
    this.bounds = beside?.bounds ?? new SymbolicDim('segments + 1');
    const { rows, count, bounds } = this;
    const perRow = (what: string): Tensor => input(`${name} ${what}`, [rows], 'int32');
    const offsets = input(this.offsetsName, [bounds], 'int32');
    this.batch = {
      rows,
      count,
      ids: perRow('ids'),
      positions: perRow('columns'),
      positionIds: perRow('positions'),
      typeIds: perRow('types'),
      offsets,
      // Of attention maps alone, which no loss is made of.
      pairs: 1,
      pairOffsets: offsets,
    };
  }

  /** The input that says where sequences begin. */
  get offsetsName(): string {
    return `${this.name} offsets`;
  }

  /** The most of each size that a run of at most so many rows and sequences has. */
  capacities(rows: number, sequences: number): Map<SymbolicDim, number> {
    return new Map([
      [this.rows, rows],
      [this.count, sequences],
      [this.bounds, sequences + 1],
    ]);
  }

  fill(sequences: readonly (readonly number[])[], types?: readonly (readonly number[])[]): Fed {
    const { name, network } = this;
    const offsets = new Int32Array(sequences.length + 1);
    sequences.forEach((ids, i) => {
      offsets[i + 1] = (offsets[i] ?? 0) + ids.length;
    });
    const rows = offsets[sequences.length] ?? 0;
    const filled = (of: (ids: readonly number[], i: number) => readonly number[]): Int32Array => {
      const all = new Int32Array(rows);
      sequences.forEach((ids, i) => {
        all.set(of(ids, i), offsets[i]);
      });
      return all;
    };
    const batch: PackedBatch = {
      ids: filled((ids) => ids),
      columns: filled((ids) => ids.map((_, column) => column)),
      positionIds: filled((ids) => network?.positionIds(ids) ?? ids.map((_, column) => column)),
      typeIds: types ? filled((_, i) => types[i] ?? []) : new Int32Array(rows),
      offsets,
    };
    const extra = network?.extraFeeds(batch);
    return {
      feeds: {
        [`${name} ids`]: batch.ids,
        [`${name} columns`]: batch.columns,
        [`${name} positions`]: batch.positionIds,
        [`${name} types`]: batch.typeIds,
        [this.offsetsName]: offsets,
        ...extra?.feeds,
      },
      sizes: new Map([
        [this.rows, rows],
        [this.count, sequences.length],
        [this.bounds, sequences.length + 1],
        ...(extra?.sizes ?? []),
      ]),
    };
  }
}
