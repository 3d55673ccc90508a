import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, HeddleError } from '../errors.js';
import { packageRoot } from '../native.js';
import type { Backend, BackendPlan, RunOptions } from './backend.js';
import type { Program } from './program.js';
import type { BackendState, State } from './state.js';

/** What the backend asks of its worker; lib/worker/reference.ts answers. */
export type ReferenceRequest =
  | {
      kind: 'load';
      state: number;
      source: State['source'];
      dtype: State['dtype'];
      shape: readonly number[];
    }
  | { kind: 'read'; state: number }
  | { kind: 'release'; state: number }
  | { kind: 'compile'; plan: number; program: Program; states: readonly number[] }
  | { kind: 'dispose'; plan: number }
  | {
      kind: 'run';
      plan: number;
      sizes: readonly number[];
      inputs: readonly (Float32Array | Int32Array)[];
      /** One Int32; not zero: stop before the next node. */
      cancel: SharedArrayBuffer;
    };

export interface ReferenceReply {
  call: number;
  result?: unknown;
  error?: { code: ErrorCode; message: string };
}

/**
 * The float64 interpreter in a worker thread, so that the event loop stays free while it computes.
 * It runs where the addon is absent, and where HEDDLE_BACKEND=reference asks for it.
 */
export class ReferenceBackend implements Backend {
  readonly name = 'reference';
  private worker: Worker | undefined;
  private calls = 0;
  private plans = 0;
  private readonly pending = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (reason: unknown) => void }
  >();

  async load(state: State): Promise<void> {
    if (state.copyOn(this)) return;
    const copy: BackendState = {
      bytes: state.shape.reduce((product, dim) => product * dim, 8),
      release: () => void this.send({ kind: 'release', state: state.id }).catch(() => undefined),
    };
    const { id, source, dtype, shape } = state;
    await this.send({ kind: 'load', state: id, source, dtype, shape });
    state.keepCopy(this, copy);
  }

  async read(state: State): Promise<Float32Array | Int32Array | Uint16Array> {
    await this.load(state);
    return (await this.send({ kind: 'read', state: state.id })) as Float32Array;
  }

  async compile(
    program: Program,
    _capacities: readonly number[],
    states: readonly State[],
  ): Promise<BackendPlan> {
    await Promise.all(states.map((state) => this.load(state)));
    const plan = this.plans++;
    await this.send({ kind: 'compile', plan, program, states: states.map((state) => state.id) });
    return {
      nodes: program.nodes.map(({ op, name }) => ({ op, name })),
      arenaBytes: 0,
      run: (sizes, inputs, options) => this.run(plan, sizes, inputs, options),
      dispose: () => void this.send({ kind: 'dispose', plan }).catch(() => undefined),
    };
  }

  private async run(
    plan: number,
    sizes: readonly number[],
    inputs: readonly (Float32Array | Int32Array)[],
    { signal }: RunOptions = {},
  ): Promise<Float32Array[]> {
    signal?.throwIfAborted();
    const cancel = new SharedArrayBuffer(4);
    const onAbort = (): void => void Atomics.store(new Int32Array(cancel), 0, 1);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return (await this.send({ kind: 'run', plan, sizes, inputs, cancel })) as Float32Array[];
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  private send(request: ReferenceRequest): Promise<unknown> {
    const worker = this.start();
    const call = this.calls++;
    return new Promise((resolve, reject) => {
      this.pending.set(call, { resolve, reject });
      worker.ref();
      worker.postMessage({ call, request });
    });
  }

  /** The worker keeps the process alive only while an answer is due. */
  private start(): Worker {
    if (this.worker) return this.worker;
    const worker = new Worker(join(packageRoot(), 'dist', 'reference-worker.mjs'));
    worker.unref();
    worker.on('message', ({ call, result, error }: ReferenceReply) => {
      const promise = this.pending.get(call);
      this.pending.delete(call);
      if (this.pending.size === 0) worker.unref();
      if (error) promise?.reject(new HeddleError(error.code, error.message));
      else promise?.resolve(result);
    });
    worker.on('error', (cause) => {
      this.worker = undefined;
      for (const { reject } of this.pending.values()) {
        reject(
          new HeddleError('ERR_ENGINE', `the TypeScript backend failed: ${cause.message}`, {
            cause,
          }),
        );
      }
      this.pending.clear();
    });
    this.worker = worker;
    return worker;
  }
}
