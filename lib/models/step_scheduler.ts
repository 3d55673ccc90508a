import { HeddleError } from '../errors.js';
import type { DecoderEngine, Sequence, StepItem, WantedLogits } from './decoder_engine.js';
import type { PagedEngine } from './paged_engine.js';
import { abortable, type Settlement } from './settlement.js';

/** How much of prompts is computed in one run, in tokens. */
export interface ChunkLimits {
  /** While no text is being written. */
  readonly alone: number;
  /** Beside texts that wait for their next token. */
  readonly beside: number;
}

const defaultLimits: ChunkLimits = { alone: 512, beside: 192 };

/** One sequence's part of a request, of which some ids may be computed already. */
interface Task {
  readonly sequence: Sequence;
  ids: readonly number[];
  readonly wantsLogits: WantedLogits;
  /** Logits of the chunks that are computed. */
  readonly parts: Float32Array[];
  readonly request: Request;
  /** Its place in the request. */
  readonly index: number;
  /** After a run of several failed, each is run alone: who caused it fails, the others do not. */
  alone: boolean;
  /** For want of room in the cache: it waits until another sequence is freed, or nothing else is to be done. */
  held: boolean;
}

interface Request {
  readonly results: Float32Array[];
  unfinished: number;
  readonly sequences: readonly Sequence[];
  readonly settlement: Settlement<Float32Array[]>;
}

/**
 * Joins the steps of concurrent callers into shared runs: the next tokens of all texts, and beside them prompts in chunks.
 * Each waiting prompt gets an equal share of a run, so that a short one is not held up behind a long one. Where the cache has no
 * room for all texts, those that came last wait: taking turns, each would take the memory that the next one needs.
 */
export class StepScheduler implements DecoderEngine {
  readonly vocabSize: number;
  readonly maxPositions: number;
  private waiting: Task[] = [];
  /** Sequences of requests that have not ended. */
  private readonly taken = new Set<Sequence>();
  /** Which sequence came first. */
  private readonly order = new WeakMap<Sequence, number>();
  private count = 0;
  private isRunning = false;
  private isScheduled = false;
  private whenIdle: (() => void) | undefined;

  constructor(
    private readonly engine: PagedEngine,
    private readonly limits: ChunkLimits = defaultLimits,
  ) {
    this.vocabSize = engine.vocabSize;
    this.maxPositions = engine.maxPositions;
  }

  begin(ids?: readonly number[], expected?: number): Sequence {
    return this.engine.begin(ids, expected);
  }

  fork(sequence: Sequence): Sequence {
    return this.engine.fork(sequence);
  }

  free(sequence: Sequence): void {
    this.engine.free(sequence);
    for (const task of this.waiting) task.held = false;
  }

  /** An abort rejects at once with the signal's reason; what is under way ends unheard. */
  step(
    batch: readonly StepItem[],
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<Float32Array[]> {
    return abortable<Float32Array[]>(signal, (settlement) => {
      this.check(batch);
      const request: Request = {
        results: new Array(batch.length),
        unfinished: batch.length,
        sequences: batch.map(({ sequence }) => sequence),
        settlement,
      };
      batch.forEach(({ sequence, ids, wantsLogits = true }, index) => {
        const reused = wantsLogits === 'all' ? 0 : this.engine.reuse(sequence, ids);
        const task = { sequence, ids: ids.slice(reused), wantsLogits, parts: [], request, index };
        this.taken.add(sequence);
        if (!this.order.has(sequence)) this.order.set(sequence, this.count++);
        this.waiting.push({ ...task, alone: false, held: false });
      });
      this.schedule();
      return (reason) => this.fail(request, reason);
    });
  }

  /** Calls back when nothing is under way, perhaps at once. */
  onIdle(callback: () => void): void {
    if (!this.isRunning && this.waiting.length === 0) callback();
    else this.whenIdle = callback;
  }

  private check(batch: readonly StepItem[]): void {
    if (!Array.isArray(batch) || batch.length === 0) {
      throw new HeddleError('ERR_ARGUMENT', 'step: expected at least one sequence, found none');
    }
    const seen = new Set(this.taken);
    for (const item of batch) {
      this.engine.check(item);
      if (seen.has(item.sequence)) {
        throw new HeddleError(
          'ERR_ARGUMENT',
          'step: a sequence is in another step, or given twice',
        );
      }
      seen.add(item.sequence);
    }
  }

  private fail(request: Request, reason: unknown): void {
    this.waiting = this.waiting.filter((task) => task.request !== request);
    this.release(request);
    request.settlement.reject(reason);
    this.schedule();
  }

  /** A settled request's sequences may be in another, even while its last run ends unheard. */
  private release({ sequences, settlement }: Request): void {
    if (settlement.settled) return;
    for (const sequence of sequences) this.taken.delete(sequence);
  }

  /** The next run starts when the event loop has handled what else is there: callers that go on join it. */
  private schedule(): void {
    if (this.isRunning || this.isScheduled) return;
    if (this.waiting.length === 0) {
      const callback = this.whenIdle;
      this.whenIdle = undefined;
      callback?.();
      return;
    }
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      if (this.isRunning || this.waiting.length === 0) return this.schedule();
      this.isRunning = true;
      void this.run(this.choose()).finally(() => {
        this.isRunning = false;
        this.schedule();
      });
    });
  }

  /** The tasks of the next run, each with how many of its ids are computed there. */
  private choose(): { task: Task; count: number }[] {
    if (this.waiting.every(({ held }) => held)) {
      for (const task of this.waiting) task.held = false;
    }
    const ready = this.waiting.filter(({ held }) => !held);
    const [first] = ready;
    const tasks = first.alone ? [first] : ready.filter(({ alone }) => !alone);
    const isNext = ({ ids }: Task): boolean => ids.length <= 1;
    const prompts = tasks.filter((task) => !isNext(task));
    const chosen = tasks.filter(isNext).map((task) => ({ task, count: task.ids.length }));
    let left = chosen.length > 0 ? this.limits.beside : this.limits.alone;
    // Shortest first: what they leave of their share is for the others.
    prompts.sort((a, b) => a.ids.length - b.ids.length);
    prompts.forEach((task, i) => {
      const share = Math.max(1, Math.floor(left / (prompts.length - i)));
      const count = Math.min(task.ids.length, share);
      left -= count;
      if (left >= 0) chosen.push({ task, count });
    });
    return chosen;
  }

  private async run(chosen: readonly { task: Task; count: number }[]): Promise<void> {
    const batch = chosen.map(({ task, count }) => ({
      sequence: task.sequence,
      ids: task.ids.slice(0, count),
      wantsLogits: (count === task.ids.length || task.wantsLogits === 'all') && task.wantsLogits,
    }));
    try {
      const results = await this.engine.step(batch);
      chosen.forEach(({ task, count }, i) => {
        this.finish(task, count, results[i]);
      });
    } catch (error) {
      if (chosen.length > 1 && this.engine.evicts && isFull(error)) {
        return this.holdNewest(chosen.map(({ task }) => task));
      }
      for (const { task } of chosen) {
        if (chosen.length > 1) task.alone = true;
        else this.fail(task.request, error);
      }
    }
  }

  private holdNewest(tasks: readonly Task[]): void {
    const age = ({ sequence }: Task): number => this.order.get(sequence) ?? 0;
    const newest = tasks.reduce((last, each) => (age(each) > age(last) ? each : last));
    newest.held = true;
  }

  private finish(task: Task, count: number, logits: Float32Array): void {
    const { request } = task;
    task.ids = task.ids.slice(count);
    task.alone = false;
    if (logits.length > 0) task.parts.push(logits);
    if (task.ids.length > 0) return;
    this.waiting = this.waiting.filter((other) => other !== task);
    request.results[task.index] = joined(task.parts);
    request.unfinished--;
    if (request.unfinished > 0) return;
    this.release(request);
    request.settlement.resolve(request.results);
  }
}

const isFull = (error: unknown): boolean =>
  error instanceof HeddleError && error.code === 'ERR_MEMORY';

function joined(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0];
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
