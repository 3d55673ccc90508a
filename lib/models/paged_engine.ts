import { HeddleError, mismatch } from '../errors.js';
import type { Backend, RunOptions } from '../graph/backend.js';
import { checkChoice, checkOptions, describeValue } from '../graph/options.js';
import { PlanCache } from '../graph/plan_cache.js';
import { KeyValuePages, pageBytes } from '../layers/kv_cache.js';
import { type CacheDType, cacheDTypes, pagePositions } from '../ops/index.js';
import { CachedSequence } from './cached_sequence.js';
import type { Decoder } from './decoder.js';
import type { DecoderEngine, Sequence, StepItem } from './decoder_engine.js';
import { PagePool } from './page_pool.js';
import { type RowPlan, StepGraph } from './step_graph.js';
import { resultsOf } from './step_results.js';

export interface CacheOptions {
  /** How keys and values are stored; default `float32`. int8 keeps a scale for each head and position. */
  dtype?: CacheDType;
  /** The most memory that cached keys and values may take; default 1 GiB. */
  bytes?: number;
  /**
   * What happens when it is full: `error` throws ERR_MEMORY; `evict`, the default, takes the memory of the sequence that has
   * not been stepped for longest, which is then computed again when its turn comes.
   */
  whenFull?: 'error' | 'evict';
}

const defaultBytes = 2 ** 30;

/** Sequences of full length that the cache has room for at most: more memory than that is not asked for. */
const fullSequences = 16;

/** The cache of the TypeScript backend, which copies all of it in each run. */
const referencePages = 32;

/** Runs a decoder on many sequences at once over a paged cache of their keys and values. */
export class PagedEngine implements DecoderEngine {
  readonly vocabSize: number;
  readonly maxPositions: number;
  private readonly pool: PagePool;
  private readonly memory: KeyValuePages;
  private readonly graph: StepGraph;
  private readonly plans: PlanCache;
  private readonly alive = new Set<CachedSequence>();
  private readonly whenFull: 'error' | 'evict';
  private steps = 0;
  private pending = 0;
  private disposed = false;

  constructor(
    private readonly decoder: Decoder,
    private readonly backend: Backend,
    options: CacheOptions = {},
  ) {
    checkOptions('cache', options, ['dtype', 'bytes', 'whenFull']);
    const { dtype = 'float32', bytes = defaultBytes, whenFull = 'evict' } = options;
    checkChoice('cache: dtype', dtype, cacheDTypes);
    checkChoice('cache: whenFull', whenFull, ['error', 'evict']);
    this.whenFull = whenFull;
    this.vocabSize = decoder.limits.vocabSize;
    this.maxPositions = decoder.maxLength;
    const shape = decoder.cacheShape;
    const each = pageBytes(shape, dtype);
    if (!(typeof bytes === 'number' && bytes >= each)) {
      const expected = `at least ${each}, the bytes of one page of ${pagePositions} positions`;
      throw mismatch('ERR_ARGUMENT', 'cache: bytes', expected, describeValue(bytes));
    }
    const useful = fullSequences * Math.ceil(this.maxPositions / pagePositions);
    const fitting = Math.min(Math.floor(bytes / Math.max(each, 1)), useful, 2 ** 24 - 1);
    const pages = backend.name === 'native' ? fitting : Math.min(fitting, referencePages);
    this.pool = new PagePool(pages);
    this.memory = new KeyValuePages(shape, pages, dtype);
    this.graph = new StepGraph(decoder, this.memory);
    this.plans = new PlanCache(backend);
  }

  /** Pages of 64 positions: how many there are, and how many sequences refer to. */
  get pages(): { total: number; inUse: number } {
    return { total: this.pool.pages, inUse: this.pool.inUse };
  }

  /** Whether a full cache takes the memory of sequences that rest. */
  get evicts(): boolean {
    return this.whenFull === 'evict';
  }

  /** Does ahead, while weights are read, what the first step would wait for. @param drawn whether texts are usually drawn, not greedy. */
  prepare(drawn: boolean): void {
    this.graph.prepare(this.plans, drawn ? 'blocks' : 'best');
  }

  begin(ids: readonly number[] = [], expected = 0): CachedSequence {
    this.checkIds(ids, 0);
    const sequence = new CachedSequence(this.pool, ids, expected);
    this.alive.add(sequence);
    return sequence;
  }

  fork(sequence: Sequence): CachedSequence {
    const own = this.own(sequence, 'fork');
    const copy = own.fork();
    this.alive.add(copy);
    return copy;
  }

  free(sequence: Sequence): void {
    if (!(sequence instanceof CachedSequence) || sequence.isFreed) return;
    sequence.isFreed = true;
    this.alive.delete(sequence);
    // Runs follow each other: one that still writes these pages ends before another that is given them begins.
    sequence.drop();
  }

  async step(batch: readonly StepItem[], options: RunOptions = {}): Promise<Float32Array[]> {
    if (this.disposed) throw new HeddleError('ERR_DISPOSED', 'the engine was disposed');
    const rows = this.plan(batch);
    for (const { sequence } of rows) sequence.isBusy = true;
    this.pending++;
    try {
      const results = await this.graph.run(this.plans, rows, options);
      for (const row of rows) this.commit(row);
      return resultsOf(results, rows, this.vocabSize);
    } catch (error) {
      for (const row of rows) this.undo(row);
      throw error;
    } finally {
      for (const { sequence } of rows) sequence.isBusy = false;
      this.pending--;
      if (this.disposed && this.pending === 0) this.release();
    }
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    for (const sequence of [...this.alive]) this.free(sequence);
    if (this.pending === 0) this.release();
  }

  private release(): void {
    this.plans.dispose();
    this.memory.dispose();
  }

  /** Checks a batch and finds pages for all of it, or for none. */
  private plan(batch: readonly StepItem[]): RowPlan[] {
    if (!Array.isArray(batch) || batch.length === 0) {
      throw mismatch('ERR_ARGUMENT', 'step', 'at least one sequence', describeValue(batch));
    }
    for (const item of batch) this.check(item);
    const seen = new Set<Sequence>(batch.map(({ sequence }) => sequence));
    if (seen.size < batch.length) {
      throw new HeddleError('ERR_ARGUMENT', 'step: a sequence was given twice');
    }
    this.steps++;
    const rows: RowPlan[] = [];
    try {
      for (const item of batch) rows.push(this.place(item, seen));
      return rows;
    } catch (error) {
      for (const row of rows) this.undo(row);
      throw error;
    }
  }

  /** Throws where an item cannot be in a step. */
  check({ sequence, ids }: StepItem): void {
    const own = this.own(sequence, 'step');
    this.checkIds(ids, own.ids.length);
    if (own.ids.length + ids.length === own.cached) {
      throw new HeddleError('ERR_INPUT', 'step: expected at least one id to compute, found none');
    }
  }

  /**
   * Gives a sequence of which nothing is cached the first of the ids that will follow, where another sequence began alike.
   * @returns how many of them need not be given again; at least one is left.
   */
  reuse(sequence: Sequence, ids: readonly number[]): number {
    const own = this.own(sequence, 'reuse');
    if (own.cached > 0) return 0;
    const all = [...own.ids, ...ids];
    own.adoptPrefix(all, this.variantOf(own, all.length));
    const found = Math.max(0, own.cached - own.ids.length);
    own.ids.push(...ids.slice(0, found));
    return found;
  }

  private variantOf({ expected }: CachedSequence, length: number): number {
    return Math.max(length, expected) > this.decoder.rotaryLimit ? 1 : 0;
  }

  private place(item: StepItem, others: ReadonlySet<Sequence>): RowPlan {
    const sequence = item.sequence as CachedSequence;
    const { wantsLogits = true } = item;
    // Of what is found in the cache there are no logits.
    const reused = wantsLogits === 'all' ? 0 : this.reuse(sequence, item.ids);
    const ids = [...sequence.ids, ...item.ids.slice(reused)];
    const wanted = wantsLogits === 'all' ? item.ids.length : wantsLogits ? 1 : 0;
    const variant = this.variantOf(sequence, ids.length);
    // Angles of long texts differ from the first id on: what short ones left is of no use.
    if (variant !== sequence.variant) {
      sequence.variant = variant;
      sequence.drop();
    }
    sequence.lastStep = this.steps;
    const first = sequence.cached;
    const what = { sequence, ids, first, wanted, wantsLogits, reused };
    const row: RowPlan = { ...what, added: [], copy: undefined };
    try {
      const last = sequence.pages.at(-1);
      const isPartial = sequence.cached < sequence.pages.length * pagePositions;
      if (last !== undefined && isPartial && this.pool.isShared(last)) {
        const own = this.takePage(others);
        sequence.pages[sequence.pages.length - 1] = own;
        row.copy = { from: last, to: own };
      }
      while (sequence.pages.length * pagePositions < ids.length) {
        const page = this.takePage(others);
        sequence.pages.push(page);
        row.added.push(page);
      }
      return row;
    } catch (error) {
      this.undo(row);
      throw error;
    }
  }

  private takePage(others: ReadonlySet<Sequence>): number {
    for (;;) {
      const page = this.pool.take();
      if (page !== undefined) return page;
      const idle = [...this.alive].filter(
        (sequence) => !others.has(sequence) && !sequence.isBusy && sequence.pages.length > 0,
      );
      const oldest = idle.reduce<CachedSequence | undefined>(
        (least, each) => (least && least.lastStep <= each.lastStep ? least : each),
        undefined,
      );
      if (!oldest || !this.evicts) {
        const room = this.pool.pages * pagePositions;
        throw new HeddleError(
          'ERR_MEMORY',
          `step: the cache of keys and values is full: expected room for more than its ${room} positions; ` +
            'free sequences, or load the model with a larger cache.bytes',
          { where: 'step', found: `${room} positions` },
        );
      }
      oldest.drop();
    }
  }

  private commit({ sequence, ids, copy }: RowPlan): void {
    if (copy) this.pool.release(copy.from);
    if (sequence.isFreed) return;
    sequence.ids.push(...ids.slice(sequence.ids.length));
    sequence.cached = ids.length;
    sequence.notePrefixes();
  }

  private undo({ sequence, added, copy, reused }: RowPlan): void {
    if (sequence.isFreed) {
      if (copy) this.pool.release(copy.from);
      return;
    }
    for (const page of added) this.pool.release(page);
    sequence.pages.length -= added.length;
    if (copy) {
      this.pool.release(copy.to);
      sequence.pages[sequence.pages.length - 1] = copy.from;
    }
    sequence.ids.length -= reused;
    if (sequence.cached > sequence.ids.length) sequence.drop();
  }

  private own(sequence: Sequence, where: string): CachedSequence {
    if (!(sequence instanceof CachedSequence)) {
      const found = describeValue(sequence);
      throw mismatch('ERR_ARGUMENT', where, 'a sequence that begin or fork made', found);
    }
    if (!this.alive.has(sequence) || sequence.isBusy) {
      const found = sequence.isBusy ? 'one that is in another step' : 'one that was freed';
      throw mismatch('ERR_ARGUMENT', where, 'a sequence at rest', found);
    }
    return sequence;
  }

  private checkIds(ids: readonly number[], before: number): void {
    if (!Array.isArray(ids)) throw mismatch('ERR_INPUT', 'ids', 'an array', describeValue(ids));
    Array.from(ids).forEach((id: unknown, i) => {
      if (Number.isInteger(id) && Number(id) >= 0 && Number(id) < this.vocabSize) return;
      const expected = `a whole number from 0 to ${this.vocabSize - 1}`;
      throw mismatch('ERR_INPUT', `ids[${i}]`, expected, describeValue(id));
    });
    const total = before + ids.length;
    if (total > this.maxPositions) {
      const expected = `at most ${this.maxPositions} ids, as the model has so many positions`;
      throw mismatch('ERR_INPUT', 'ids', expected, `${total}`);
    }
  }

  /** What a sequence has in the cache, to be kept elsewhere; the ids that are not computed yet come along as ids alone. */
  async save(sequence: Sequence): Promise<SavedSequence> {
    const own = this.own(sequence, 'save');
    own.isBusy = true;
    try {
      const rows = own.cached > 0 ? await this.graph.read(this.plans, own) : {};
      const { variant, cached } = own;
      return { ids: Int32Array.from(own.ids), cached, variant, rows };
    } finally {
      own.isBusy = false;
    }
  }

  /** A sequence as `save` found it, of the same model. @throws ERR_INPUT for what is not that; ERR_MEMORY. */
  async restore(saved: SavedSequence): Promise<Sequence> {
    const sequence = this.begin(Array.from(saved.ids));
    try {
      const { cached, variant, rows } = saved;
      checkSaved(saved, this.memory);
      if (cached === 0) return sequence;
      sequence.variant = variant;
      sequence.drop();
      while (sequence.pages.length * pagePositions < cached) {
        sequence.pages.push(this.takePage(new Set([sequence])));
      }
      sequence.isBusy = true;
      await this.graph.write(this.backend, sequence, rows, cached);
      sequence.isBusy = false;
      sequence.cached = cached;
      sequence.notePrefixes();
      return sequence;
    } catch (error) {
      this.free(sequence);
      throw error;
    }
  }
}

/** A conversation's cache outside of the engine. */
export interface SavedSequence {
  readonly ids: Int32Array;
  /** How many of the ids have keys and values here. */
  readonly cached: number;
  readonly variant: number;
  /** `keys.N` and `values.N` of each layer, float32 [cached, keyHeads·size]. */
  readonly rows: Readonly<Record<string, Float32Array>>;
}

function checkSaved({ cached, ids, variant, rows }: SavedSequence, memory: KeyValuePages): void {
  const { layers, keyHeads, size } = memory.shape;
  const isCount = Number.isInteger(cached) && cached >= 0 && cached <= ids.length;
  const names = Array.from({ length: layers }, (_, i) => [`keys.${i}`, `values.${i}`]).flat();
  const wrong = names.find((name) => rows?.[name]?.length !== cached * keyHeads * size);
  if (isCount && (variant === 0 || variant === 1) && (cached === 0 || wrong === undefined)) return;
  throw mismatch('ERR_INPUT', 'restore', 'what save gave, of the same model', wrong ?? `${cached}`);
}
