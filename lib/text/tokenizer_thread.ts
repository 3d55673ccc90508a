import { Worker } from 'node:worker_threads';
import { HeddleError } from '../errors.js';
import type { CompactEncoding, EncodeOptions } from './encoding.js';
import type {
  TokenizerReply,
  TokenizerRequest,
  TokenizerThreadData,
} from './tokenizer_messages.js';

interface Job {
  resolve(encoding: CompactEncoding): void;
  reject(error: unknown): void;
}

/** A worker thread that tokenises; it starts with the first job, and keeps the process alive only while it has one. */
export class TokenizerThread {
  private worker: Worker | undefined;
  private readonly jobs = new Map<number, Job>();
  private lastJob = 0;

  /** @param file the built lib/worker/tokenizer.ts. */
  constructor(
    private readonly file: URL,
    private readonly data: TokenizerThreadData,
  ) {}

  /** @throws what `Tokenizer.encode` throws, ERR_ENGINE when the thread died, ERR_DISPOSED. */
  encode(text: string, options: EncodeOptions, withOffsets: boolean): Promise<CompactEncoding> {
    return new Promise((resolve, reject) => {
      const worker = this.started();
      const job = ++this.lastJob;
      this.jobs.set(job, { resolve, reject });
      worker.ref();
      worker.postMessage({ job, text, options, withOffsets } satisfies TokenizerRequest);
    });
  }

  private started(): Worker {
    if (this.worker !== undefined) return this.worker;
    const worker = new Worker(this.file, { workerData: this.data });
    this.worker = worker;
    worker.on('message', (reply: TokenizerReply) => {
      const job = this.jobs.get(reply.job);
      this.jobs.delete(reply.job);
      if (this.jobs.size === 0) worker.unref();
      if ('encoding' in reply) job?.resolve(reply.encoding);
      else job?.reject(new HeddleError(reply.error.code, reply.error.message));
    });
    const died = (cause: unknown): void => {
      if (this.worker !== worker) return;
      const message = cause instanceof Error ? cause.message : `exit code ${cause}`;
      this.giveUp(
        new HeddleError('ERR_ENGINE', `the tokenizer's thread ended: ${message}`, { cause }),
      );
    };
    worker.on('error', died);
    worker.on('exit', died);
    return worker;
  }

  /** The next job starts a new thread. */
  private giveUp(error: HeddleError): void {
    this.worker = undefined;
    const jobs = [...this.jobs.values()];
    this.jobs.clear();
    for (const job of jobs) job.reject(error);
  }

  dispose(): void {
    const { worker } = this;
    this.giveUp(new HeddleError('ERR_DISPOSED', 'the tokenizer was disposed'));
    void worker?.terminate();
  }
}
