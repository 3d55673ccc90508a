/**
 * float32 y = x·Wᵀ, the weight packed beforehand, against OpenBLAS's sgemm on the same shapes.
 *
 * `heddle` is the kernel's own rate inside a plan, as it runs in a model; `call` that of a plan of one node,
 * with all that an awaited call costs; `shareOfCeiling` the kernel's rate over the CPU's measured peak.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { addon } from './addon.mjs';
import { alternate, calls, median } from './alternate.mjs';
import { ceiling } from './ceiling.mjs';
import { linearPlan } from './linear.mjs';
import { Peer, peersHome } from './peer.mjs';
import { nodeTimes } from './plan.mjs';
import { row } from './row.mjs';

const shapes = [
  [128, 384, 1536],
  [512, 768, 768],
  [512, 768, 3072],
  [1024, 1024, 1024],
]; // M, K, N
const repeats = 8;

export async function bench({ quick, threads, log }) {
  const teams = threads === undefined ? [1, Math.min(2, availableParallelism())] : [threads];
  const results = [];
  for (const team of new Set(teams)) {
    addon().setThreads(team);
    const peak = ceiling(team);
    const openblas = await startOpenBlas(team);
    for (const [m, k, n] of shapes) {
      const kernel = await linearPlan(m, k, n, repeats);
      const result = await alternate({
        ours: nodeTimes(kernel.plan, [kernel.x], repeats),
        theirs: openblas.measure({ m, k, n }),
        quick,
      });
      kernel.release();
      const amount = (2 * m * k * n) / 1e6;
      const kase = `${m}x${k}x${n}`;
      const share = peak === null ? null : Number((amount / result.ours / peak).toPrecision(3));
      const call = Number((amount / (await callTime(m, k, n))).toPrecision(4));
      const more = { call, ceiling: peak, shareOfCeiling: share };
      const common = { name: 'gemm', threads: team, unit: 'GFLOP/s', peer: openblas };
      results.push(row({ ...common, kase, shape: [m, k, n], amount, result, more }));
      log(`${kase}, ${team} threads`);
    }
    openblas.stop();
  }
  return results;
}

async function callTime(m, k, n) {
  const single = await linearPlan(m, k, n, 1);
  const times = await calls(() => addon().run(single.plan, [], [single.x], null, null))(30);
  single.release();
  return median(times);
}

/** The core type is what OpenBLAS gets wrong on AMD CPUs that have AVX-512: it takes its AVX2 kernels. */
function startOpenBlas(threads) {
  const env = { OPENBLAS_NUM_THREADS: String(threads) };
  const hasAvx512 = addon()
    .info()
    .isas.some((isa) => isa.startsWith('avx512'));
  if (hasAvx512) env.OPENBLAS_CORETYPE = 'SKYLAKEX';
  return Peer.start('OpenBLAS', join(peersHome, 'bin', 'openblas'), [], env);
}
