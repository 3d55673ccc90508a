import type { NativeBackend } from '../graph/native_backend.js';
import type { Ceilings } from '../graph/profile.js';
import { compile } from '../graph/run.js';
import { State } from '../graph/state.js';
import { stateTensor, type Tensor } from '../graph/tensor.js';
import { multiplyAdd, sumRows } from '../ops/index.js';

/** Beyond the last cache of most CPUs: 64 MiB. */
const rows = 256;
const columns = 2 ** 16;

/** Measures what the CPU can do at most with the threads that the engine has; takes about a second. */
export async function measureCeilings(backend: NativeBackend): Promise<Ceilings> {
  const { threads } = backend.addon.info();
  const steps = 4096;
  const numbers = 2 ** 16 * threads;
  const fast = await shortest(backend, [numbers], (x) => multiplyAdd(x, steps));
  const read = await shortest(backend, [rows, columns], sumRows);
  return { threads, gflops: (2 * steps * numbers) / fast, gbps: (4 * rows * columns) / read };
}

/** Nanoseconds of the quickest of some runs. */
async function shortest(
  backend: NativeBackend,
  shape: readonly number[],
  op: (x: Tensor) => Tensor,
): Promise<number> {
  using numbers = new State('numbers', shape, 'float32', { kind: 'zeros' });
  const graph = await compile({ y: op(stateTensor(numbers)) }, new Map(), { backend });
  const profile = new Float64Array(2);
  let least = Infinity;
  for (let i = 0; i < 8; i++) {
    await graph.run({}, new Map(), { profile });
    least = Math.min(least, profile[1] - profile[0]);
  }
  graph.dispose();
  return least;
}
