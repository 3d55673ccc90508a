/** The one graph of all steps: prompts and single tokens of many sequences, each continuing what is cached of it. */
import type { Backend, RunOptions } from '../graph/backend.js';
import type { PlanCache } from '../graph/plan_cache.js';
import { type CompiledGraph, compile, type Feeds, type NdArray } from '../graph/run.js';
import { SymbolicDim } from '../graph/shape.js';
import { input, type Tensor } from '../graph/tensor.js';
import type { KeyValuePages } from '../layers/kv_cache.js';
import { pagePositions, partPositions } from '../ops/index.js';
import type { CachedSequence } from './cached_sequence.js';
import type { Decoder, DecoderBatch } from './decoder.js';
import type { WantedLogits } from './decoder_engine.js';

/** What a step computes of one sequence. */
export interface RowPlan {
  readonly sequence: CachedSequence;
  /** All ids, those given before included. */
  readonly ids: readonly number[];
  /** The first that is computed. */
  readonly first: number;
  /** Of so many of its last ids there are logits. */
  readonly wanted: number;
  /** What is wanted of them. */
  readonly wantsLogits: WantedLogits;
  /** Ids that were found in the cache, and so count as given before. */
  readonly reused: number;
  /** Pages that were taken for this step. */
  readonly added: number[];
  /** The last page, where another sequence refers to it as well and this one is about to write to it. */
  copy: { from: number; to: number } | undefined;
}

/** What a step gives: of each wanted row the logits, only the best of them, or logits and the sums of their blocks. */
export type StepResult = 'logits' | 'best' | 'blocks';

/** The least that all items get what they want from. */
function resultFor(items: readonly RowPlan[]): StepResult {
  const wanted = items.filter((item) => item.wanted > 0);
  if (wanted.every(({ wantsLogits }) => wantsLogits === 'best')) return 'best';
  // The best of a row is found by its blocks, where its logits are there for another's sake.
  const few = wanted.some(({ wantsLogits }) => wantsLogits === 'best' || isDrawn(wantsLogits));
  return few ? 'blocks' : 'logits';
}

const isDrawn = (wants: WantedLogits): wants is { temperature: number } =>
  typeof wants === 'object';

/** Rows of a segment that are cut into parts: few, or the team has enough to share without. */
const fewRows = 8;

export class StepGraph {
  /** Symbols of the sizes that differ from step to step. */
  readonly dims = {
    rows: new SymbolicDim('rows'),
    rowBounds: new SymbolicDim('rows + 1'),
    count: new SymbolicDim('segments'),
    wanted: new SymbolicDim('logits'),
    bounds: new SymbolicDim('segments + 1'),
    tables: new SymbolicDim('pages'),
    parts: new SymbolicDim('parts'),
    copies: new SymbolicDim('copies'),
  };
  private turn: Promise<void> = Promise.resolve();
  private readonly inputs: Readonly<Record<string, Tensor>>;

  constructor(
    private readonly decoder: Decoder,
    private readonly memory: KeyValuePages,
  ) {
    const { rows, rowBounds, count, bounds, tables, copies, wanted } = this.dims;
    const of = (name: string, dim: SymbolicDim): Tensor => input(name, [dim], 'int32');
    this.inputs = {
      ids: of('ids', rows),
      positionIds: of('positionIds', rows),
      slots: of('slots', rows),
      segments: of('segments', bounds),
      lengths: of('lengths', count),
      tableOffsets: of('tableOffsets', bounds),
      tables: of('tables', tables),
      partOffsets: of('partOffsets', rowBounds),
      last: of('last', wanted),
      temperatures: input('temperatures', [wanted], 'float32'),
      from: of('from', copies),
      to: of('to', copies),
    };
  }

  /**
   * What follows the ids of which logits are wanted, in order: `logits` [their number, vocabSize], where all want the highest
   * alone `best` [their number, 2], or `blocks`, what `logitBlocks` gives.
   */
  async run(
    plans: PlanCache,
    items: readonly RowPlan[],
    options: RunOptions,
  ): Promise<Record<string, NdArray>> {
    const feeds = this.feeds(items);
    const { rows, rowBounds, count, bounds, tables, parts, copies, wanted } = this.dims;
    const sizes = new Map([
      [rows, feeds.ids.length],
      [rowBounds, feeds.ids.length + 1],
      [count, items.length],
      [bounds, items.length + 1],
      [tables, feeds.tables.length],
      [parts, feeds.partOffsets.at(-1) ?? 0],
      [copies, feeds.from.length],
      [wanted, feeds.last.length],
    ]);
    const copying = feeds.from.length > 0;
    const result = resultFor(items);
    const key = copying ? `${result} with copies` : result;
    return this.inTurn(
      () => plans.get(key, () => ({ [result]: this.next(result, copying) }), sizes),
      (plan) => plan.run(feeds, sizes, options),
    );
  }

  /** Makes ahead what a first step needs that takes neither sizes nor weights. @param result what that step will be asked for. */
  prepare(plans: PlanCache, result: StepResult): void {
    plans.prepare(result, () => ({ [result]: this.next(result, false) }));
  }

  /**
   * Hands runs to the engine in the order of these calls, also where a plan is still to be made: pages that one run has done
   * with may be another's in the next.
   */
  private async inTurn<R>(
    plan: () => Promise<CompiledGraph>,
    run: (plan: CompiledGraph) => Promise<R>,
  ): Promise<R> {
    const before = this.turn;
    let next = (): void => undefined;
    this.turn = new Promise((resolve) => {
      next = resolve;
    });
    let running: Promise<R>;
    try {
      await before;
      running = run(await plan());
    } finally {
      next();
    }
    return running;
  }

  /** Records a step. @param copying whether pages are copied before anything is written. */
  next(result: StepResult, copying: boolean): Tensor {
    const { rows, count, parts } = this.dims;
    const { ids, positionIds, slots, segments, lengths, tableOffsets, tables } = this.inputs;
    const { partOffsets, last, temperatures, from, to } = this.inputs;
    const where = { segments, lengths, tableOffsets, tables, partOffsets, parts };
    const batch: DecoderBatch = {
      rows,
      count,
      ids,
      positionIds,
      positions: positionIds,
      offsets: segments,
      typeIds: ids,
      pairs: rows,
      pairOffsets: segments,
      cache: this.memory.forRun(where, slots, copying ? { from, to } : undefined),
    };
    const { decoder } = this;
    if (result === 'best') return decoder.nextBest(batch, last);
    if (result === 'blocks') return decoder.nextBlocks(batch, last, temperatures);
    return decoder.nextLogits(batch, last);
  }

  private feeds(items: readonly RowPlan[]) {
    const total = items.reduce((sum, { ids, first }) => sum + ids.length - first, 0);
    const rows = (): Int32Array => new Int32Array(total);
    const [ids, positionIds, slots] = [rows(), rows(), rows()];
    const partOffsets = new Int32Array(total + 1);
    const bounds = (): Int32Array => new Int32Array(items.length + 1);
    const [segments, tableOffsets] = [bounds(), bounds()];
    let row = 0;
    items.forEach(({ sequence, ids: all, first }, i) => {
      const count = all.length - first;
      const parts = count > fewRows ? 1 : Math.ceil(all.length / partPositions);
      for (let position = first; position < all.length; position++, row++) {
        const page = sequence.pages[Math.floor(position / pagePositions)];
        ids[row] = all[position];
        positionIds[row] = position;
        slots[row] = page * pagePositions + (position % pagePositions);
        partOffsets[row + 1] = partOffsets[row] + parts;
      }
      segments[i + 1] = row;
      tableOffsets[i + 1] = tableOffsets[i] + sequence.pages.length;
    });
    const lengths = items.map(({ ids: all }) => all.length);
    const copies = items.flatMap(({ copy }) => copy ?? []);
    const feeds = {
      ids,
      positionIds,
      slots,
      segments,
      lengths: Int32Array.from(lengths),
      tableOffsets,
      tables: Int32Array.from(items.flatMap(({ sequence }) => sequence.pages)),
      partOffsets,
      last: Int32Array.from(
        items.flatMap(({ wanted }, i) =>
          Array.from({ length: wanted }, (_, k) => segments[i + 1] - wanted + k),
        ),
      ),
      temperatures: Float32Array.from(
        items.flatMap(({ wanted, wantsLogits }) =>
          new Array<number>(wanted).fill(isDrawn(wantsLogits) ? wantsLogits.temperature : 1),
        ),
      ),
      from: Int32Array.from(copies, ({ from }) => from),
      to: Int32Array.from(copies, ({ to }) => to),
    };
    const { decoder } = this;
    if (decoder.rotaryLimit === Infinity) return feeds;
    const expected = items.map(({ ids: all, sequence }) => Math.max(all.length, sequence.expected));
    return { ...feeds, angles: decoder.anglesOf(positionIds, segments, expected) };
  }

  /** The cached keys and values of a sequence. */
  async read(plans: PlanCache, sequence: CachedSequence): Promise<Record<string, Float32Array>> {
    const { rows } = this.dims;
    const sizes = new Map([[rows, sequence.cached]]);
    const results = await this.inTurn(
      () => plans.get('read', () => this.memory.read(this.inputs.slots), sizes),
      (plan) => plan.run({ slots: slotsOf(sequence, sequence.cached) }, sizes),
    );
    return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data]));
  }

  /** Writes what `read` gave into a sequence's pages. */
  async write(
    backend: Backend,
    sequence: CachedSequence,
    saved: Feeds,
    count: number,
  ): Promise<void> {
    const { rows } = this.dims;
    const { keyHeads, size } = this.memory.shape;
    const effects = this.memory.write(this.inputs.slots, (name) =>
      input(name, [rows, keyHeads * size], 'float32'),
    );
    const sizes = new Map([[rows, count]]);
    const plan = compile({}, sizes, { effects, backend });
    const feeds = { slots: slotsOf(sequence, count), ...saved };
    try {
      await this.inTurn(
        () => plan,
        (ready) => ready.run(feeds, sizes),
      );
    } finally {
      (await plan).dispose();
    }
  }
}

function slotsOf({ pages }: CachedSequence, count: number): Int32Array {
  return Int32Array.from(
    { length: count },
    (_, i) => pages[Math.floor(i / pagePositions)] * pagePositions + (i % pagePositions),
  );
}
