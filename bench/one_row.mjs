/**
 * One row times a weight that no cache holds, as each token of a text is written: what counts is how fast the weight is
 * read. For each way of keeping it the GB/s of its packed bytes, the rounding of the row included, beside plain reading
 * (the kernel `sumRows`) in the same run.
 */
import { availableParallelism } from 'node:os';
import { addon } from './addon.mjs';
import { alternateWith } from './alternate.mjs';
import { linearPlan } from './linear.mjs';
import { nodeTimes, repeatedKernel } from './plan.mjs';
import { row } from './row.mjs';

const dtypes = ['float32', 'bfloat16', 'int8', 'int4'];
const k = 4096;
/** Of each weight: several times the last cache of most CPUs. */
const bytes = 128 * 2 ** 20;
const bytesOfValue = { float32: 4, bfloat16: 2, int8: 1, int4: 20 / 32 };
const repeats = 2;

export async function bench({ threads, quick, log }) {
  const teams = threads === undefined ? [1, Math.min(2, availableParallelism())] : [threads];
  const results = [];
  for (const team of new Set(teams)) {
    addon().setThreads(team);
    const read = reading();
    const peer = { name: 'reading' };
    for (const dtype of dtypes) {
      const n = Math.round(bytes / bytesOfValue[dtype] / k / 64) * 64;
      const product = await linearPlan(1, k, n, repeats, dtype);
      const [result] = await alternateWith({ ours: product.times, peers: [read.times], quick });
      const weightBytes = product.bytes;
      product.release();
      // Both in GB/s: what is read differs a little in size.
      result.theirs *= weightBytes / bytes;
      const kase = `1x${k}x${n}`;
      const common = { name: 'one row', kase, shape: [1, k, n], threads: team, dtype };
      results.push(row({ ...common, unit: 'GB/s', amount: weightBytes / 1e6, result, peer }));
      log(`${dtype}, ${team} threads`);
    }
    read.release();
  }
  return results;
}

/** Sums of the rows of as many bytes. */
function reading() {
  const dims = [512, bytes / 4 / 512];
  // Untouched memory would be one page of zeros, in the first cache.
  const state = addon().createState('float32', dims, new Float32Array(bytes / 4).fill(1));
  const plan = repeatedKernel({
    kernel: 'sumRows',
    operands: [{ kind: 'state', dims }],
    states: [state],
    outputDims: [dims[0]],
    ints: [],
    floats: [],
    repeats,
  });
  const release = () => {
    plan.release();
    state.release();
  };
  return { times: nodeTimes(plan, [], repeats), release };
}
