/** The worker thread of the TypeScript backend: keeps states and programs, runs them in float64. */
import { parentPort } from 'node:worker_threads';
import { readStateSource, storeAs } from '../checkpoints/dtype.js';
import { HeddleError } from '../errors.js';
import type { Program } from '../graph/program.js';
import { runReference } from '../graph/reference.js';
import type { ReferenceReply, ReferenceRequest } from '../graph/reference_backend.js';
import type { NativeDType } from '../native.js';
import '../ops/index.js';

const states = new Map<number, { data: Float64Array | Int32Array; dtype: NativeDType }>();
const plans = new Map<number, { program: Program; states: readonly number[] }>();

async function answer(request: ReferenceRequest): Promise<unknown> {
  switch (request.kind) {
    case 'load': {
      const data = await readStateSource(request.source, request.dtype, request.shape);
      states.set(request.state, { data, dtype: request.dtype });
      return;
    }
    case 'read': {
      const { data, dtype } = found(states, request.state);
      return storeAs(dtype, data);
    }
    case 'release':
      states.delete(request.state);
      return;
    case 'compile':
      plans.set(request.plan, request);
      return;
    case 'dispose':
      plans.delete(request.plan);
      return;
    case 'run': {
      const plan = found(plans, request.plan);
      const data = plan.states.map((state) => found(states, state).data);
      const cancel = new Int32Array(request.cancel);
      const isCancelled = (): boolean => Atomics.load(cancel, 0) !== 0;
      const outputs = runReference(plan.program, request.sizes, request.inputs, data, isCancelled);
      return outputs.map((output) => Float32Array.from(output));
    }
  }
}

function found<T>(map: Map<number, T>, key: number): T {
  const value = map.get(key);
  if (value === undefined) throw new HeddleError('ERR_DISPOSED', 'the plan or state was disposed');
  return value;
}

/** Requests are answered one after the other: a plan may need the state that the request before it loads. */
let last: Promise<void> = Promise.resolve();

parentPort?.on('message', ({ call, request }: { call: number; request: ReferenceRequest }) => {
  last = last.then(async () => {
    const reply: ReferenceReply = { call };
    try {
      reply.result = await answer(request);
    } catch (error) {
      const code = error instanceof HeddleError ? error.code : 'ERR_ENGINE';
      reply.error = { code, message: error instanceof Error ? error.message : String(error) };
    }
    parentPort?.postMessage(reply);
  });
});
