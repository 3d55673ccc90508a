import { setImmediate } from 'node:timers/promises';

/** How far a training of a tokenizer is: reading and counting words, then learning tokens from them. */
export interface TokenizerProgress {
  stage: 'count' | 'learn';
  done: number;
  /** Undefined while it is not known how much text there is. */
  total: number | undefined;
}

/** How long, in ms, a training computes before it lets the event loop go on. */
const stretch = 10;

/** Lets a long computation report, be aborted, and leave the event loop its turn. */
export class TrainingPace {
  private last = performance.now();

  constructor(
    private readonly signal: AbortSignal | undefined,
    private readonly onProgress: ((progress: TokenizerProgress) => void) | undefined,
  ) {}

  /** Whether it is time for a `pause`; cheap enough for inner loops. */
  get isDue(): boolean {
    return performance.now() - this.last > stretch;
  }

  async pause(
    stage: TokenizerProgress['stage'],
    done: number,
    total: number | undefined,
  ): Promise<void> {
    this.onProgress?.({ stage, done, total });
    await setImmediate();
    this.signal?.throwIfAborted();
    this.last = performance.now();
  }
}
