import type { NativeBackend } from '../graph/native_backend.js';
import type { Ceilings } from '../graph/profile.js';
import { compile } from '../graph/run.js';
import { State } from '../graph/state.js';
import { stateTensor, type Tensor } from '../graph/tensor.js';
import { multiplyAdd, sumRows } from '../ops/index.js';

/** Beyond the last cache of most CPUs: 128 MiB. */
const rows = 512;
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
  // Ones: a state of zeros would be read from the one page that untouched memory shares, in the first cache.
  const data = new Float32Array(shape.reduce((count, size) => count * size, 1)).fill(1);
  using numbers = new State('numbers', shape, 'float32', { kind: 'data', data });
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
