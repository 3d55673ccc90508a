import { HeddleError } from '../errors.js';
import type { Feeds, NdArray } from '../graph/run.js';
import type { SymbolicDim } from '../graph/shape.js';
import type { Tensor } from '../graph/tensor.js';
import type { EncoderBatch, EncoderOutput } from '../models/encoder.js';
import type { PackedBatch } from '../models/encoder_inputs.js';
import type { EncoderRunner } from '../models/encoder_runner.js';
import { abortable, type Settlement } from '../models/settlement.js';
import type { CompactEncoding } from '../text/encoding.js';
import { packTexts } from './packed_texts.js';

/** What is computed of packed texts. A text's result must not depend on the texts beside it. */
export interface TextGraph<R> {
  /** Names all that the results depend on: requests with the same key may share a run. */
  readonly key: string;
  /** Names what `build` makes. */
  readonly planKey: string;
  build(outputs: Record<string, EncoderOutput>, batch: EncoderBatch): Record<string, Tensor>;
  /** Inputs and sizes that `build` adds to the batch's. */
  inputs?(
    batch: PackedBatch,
    encodings: readonly CompactEncoding[],
  ): { feeds: Feeds; sizes: readonly [SymbolicDim, number][] };
  /** One result for each text. */
  split(
    results: Record<string, NdArray>,
    batch: PackedBatch,
    encodings: readonly CompactEncoding[],
  ): R[];
}

export interface BatchLimits {
  /** How long a request waits, in ms, for others to share a run with while another run is under way. */
  maxWaitMs: number;
  /** Tokens in one run, unless one request alone has more. */
  maxTokens: number;
  /** With so many tokens waiting, a run starts without waiting for more. */
  enoughTokens: number;
}

/** The request's part in a run. */
interface Request {
  readonly graph: TextGraph<unknown>;
  readonly encodings: readonly CompactEncoding[];
  readonly tokens: number;
  /** When it came, in ms. */
  readonly since: number;
  /** After a run of several failed, each is run alone: who caused it fails, the others do not. */
  alone: boolean;
  run: Run | undefined;
  readonly settlement: Settlement<unknown[]>;
}

interface Run {
  /** Requests that still want their results. */
  wanted: number;
  readonly cancel: AbortController;
}

/** Runs that are with the engine at once: one computes while the other waits, so that the engine never does. */
const runsAtOnce = 2;

/**
 * Merges requests that come at about the same time into packed runs.
 *
 * Where nothing is under way, a request starts as soon as the event loop has handled what else is there: waiting would only
 * cost time. While a run computes, those that come are gathered; they follow when the run ends, when there are enough,
 * or after `maxWaitMs`, whichever is first, so that the engine finds the next run ready.
 */
export class RequestBatches {
  private waiting: Request[] = [];
  private runs = 0;
  private timer: (() => void) | undefined;
  private whenIdle: (() => void) | undefined;

  constructor(
    private readonly runner: EncoderRunner,
    readonly limits: BatchLimits,
  ) {}

  /** @throws `signal.reason`, at once; what the run throws. */
  submit<R>(
    graph: TextGraph<R>,
    encodings: readonly CompactEncoding[],
    signal?: AbortSignal,
  ): Promise<R[]> {
    return abortable<R[]>(signal, (settlement) => {
      const request: Request = {
        graph: graph as TextGraph<unknown>,
        encodings,
        tokens: encodings.reduce((sum, { ids }) => sum + ids.length, 0),
        since: performance.now(),
        alone: false,
        run: undefined,
        settlement: settlement as Settlement<unknown[]>,
      };
      this.waiting.push(request);
      this.schedule();
      return (reason) => this.drop(request, reason);
    });
  }

  /** Calls back when no run is under way, perhaps at once. */
  onIdle(callback: () => void): void {
    if (this.runs === 0 && this.waiting.length === 0) callback();
    else this.whenIdle = callback; // in place of one that was given before
  }

  /** Takes a request out: of the queue, or of its run, which ends where nobody wants it any more. */
  private drop(request: Request, reason: unknown): void {
    request.settlement.reject(reason);
    if (request.run) {
      request.run.wanted--;
      if (request.run.wanted === 0) request.run.cancel.abort();
    } else {
      this.waiting = this.waiting.filter((other) => other !== request);
      this.schedule();
    }
  }

  /** Decides when the next run starts; called whenever something that this depends on has changed. */
  private schedule(): void {
    this.timer?.();
    this.timer = undefined;
    const [oldest] = this.waiting;
    if (!oldest) {
      if (this.runs > 0) return;
      const callback = this.whenIdle;
      this.whenIdle = undefined;
      callback?.();
      return;
    }
    if (this.runs >= runsAtOnce) return;
    const due = oldest.since + this.limits.maxWaitMs - performance.now();
    const start = (): void => this.start();
    if (this.runs === 0 || due <= 0 || this.isEnough(oldest)) {
      const immediate = setImmediate(start);
      this.timer = () => clearImmediate(immediate);
    } else {
      const timeout = setTimeout(start, due);
      this.timer = () => clearTimeout(timeout);
    }
  }

  private isEnough(oldest: Request): boolean {
    let tokens = 0;
    for (const { graph, tokens: more } of this.waiting) {
      if (graph.key === oldest.graph.key) tokens += more;
    }
    return tokens >= this.limits.enoughTokens;
  }

  /** Takes the oldest request and those that can share its run, in their order. */
  private start(): void {
    this.timer = undefined;
    const [oldest] = this.waiting;
    if (!oldest) return;
    const batch = [oldest];
    let tokens = oldest.tokens;
    for (const request of oldest.alone ? [] : this.waiting.slice(1)) {
      const fits = tokens + request.tokens <= this.limits.maxTokens;
      if (!fits || request.alone || request.graph.key !== oldest.graph.key) continue;
      batch.push(request);
      tokens += request.tokens;
    }
    const taken = new Set(batch);
    this.waiting = this.waiting.filter((request) => !taken.has(request));
    this.runs++;
    void this.run(batch).finally(() => {
      this.runs--;
      this.schedule();
    });
    this.schedule();
  }

  private async run(batch: readonly Request[]): Promise<void> {
    const run: Run = { wanted: batch.length, cancel: new AbortController() };
    for (const request of batch) request.run = run;
    try {
      const results = await this.compute(batch, run.cancel.signal);
      let at = 0;
      for (const { encodings, settlement } of batch) {
        settlement.resolve(results.slice(at, at + encodings.length));
        at += encodings.length;
      }
    } catch (error) {
      const isOver = error instanceof HeddleError && error.code === 'ERR_DISPOSED';
      const retried =
        batch.length > 1 && !isOver ? batch.filter(({ settlement }) => !settlement.settled) : [];
      for (const request of batch) {
        request.run = undefined;
        request.alone = true;
        if (!retried.includes(request)) request.settlement.reject(error);
      }
      this.waiting.unshift(...retried);
    }
  }

  private async compute(batch: readonly Request[], signal: AbortSignal): Promise<unknown[]> {
    const { graph } = batch[0];
    const encodings = batch.flatMap((request) => request.encodings);
    const packed = packTexts(this.runner.encoder, encodings);
    const more = graph.inputs?.(packed, encodings);
    const results = await this.runner.run(packed, graph.planKey, graph.build, { signal, ...more });
    return graph.split(results, packed, encodings);
  }
}
