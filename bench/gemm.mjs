/**
 * float32 y = x·Wᵀ, the weight packed beforehand, against OpenBLAS, BLIS and oneDNN on the same shapes.
 *
 * `heddle` is the kernel's own rate inside a plan, as it runs in a model; `call` that of a plan of one node,
 * with all that an awaited call costs; `shareOfCeiling` the kernel's rate over the CPU's measured peak.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { addon } from './addon.mjs';
import { alternateWith, calls, median } from './alternate.mjs';
import { ceiling } from './ceiling.mjs';
import { linearPlan } from './linear.mjs';
import { Peer, peersHome } from './peer.mjs';
import { nodeTimes } from './plan.mjs';
import { row } from './row.mjs';

const shapes = [
  [8, 768, 3072],
  [32, 384, 1536],
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
    const peers = await startPeers(team);
    for (const [m, k, n] of shapes) {
      const kernel = await linearPlan(m, k, n, repeats);
      const outcomes = await alternateWith({
        ours: nodeTimes(kernel.plan, [kernel.x], repeats),
        peers: peers.map((peer) => peer.measure({ m, k, n })),
        quick,
      });
      kernel.release();
      const amount = (2 * m * k * n) / 1e6;
      const kase = `${m}x${k}x${n}`;
      const share =
        peak === null ? null : Number((amount / outcomes[0].ours / peak).toPrecision(3));
      const call = Number((amount / (await callTime(m, k, n))).toPrecision(4));
      const more = { call, ceiling: peak, shareOfCeiling: share };
      const common = { name: 'gemm', threads: team, unit: 'GFLOP/s', kase, shape: [m, k, n] };
      for (const [i, peer] of peers.entries()) {
        results.push(row({ ...common, amount, result: outcomes[i], peer, more }));
      }
      log(`${kase}, ${team} threads`);
    }
    for (const peer of peers) peer.stop();
  }
  return results;
}

async function callTime(m, k, n) {
  const single = await linearPlan(m, k, n, 1);
  const times = await calls(() => addon().run(single.plan, [], [single.x], null, null))(30);
  single.release();
  return median(times);
}

/**
 * Left alone, OpenBLAS and BLIS take their AVX2 kernels on AMD CPUs that have AVX-512 (0 is BLIS 0.9's number for those).
 * Where HEDDLE_ISA holds Heddle to AVX2, all are held to it.
 */
function startPeers(threads) {
  const { isa, isas } = addon().info();
  const env = Object.fromEntries(
    ['OMP', 'OPENBLAS', 'BLIS'].map((name) => [`${name}_NUM_THREADS`, String(threads)]),
  );
  if (isa.startsWith('avx512')) {
    Object.assign(env, { OPENBLAS_CORETYPE: 'SKYLAKEX', BLIS_ARCH_TYPE: '0' });
  } else if (isas.some((name) => name.startsWith('avx512'))) {
    const most = { ONEDNN_MAX_CPU_ISA: 'AVX2', BLIS_ARCH_TYPE: 'haswell' };
    Object.assign(env, { OPENBLAS_CORETYPE: 'Haswell', ...most });
  }
  const programs = { OpenBLAS: 'openblas', BLIS: 'blis', oneDNN: 'onednn' };
  return Promise.all(
    Object.entries(programs).map(([label, file]) =>
      Peer.start(label, join(peersHome, 'bin', file), [], env),
    ),
  );
}
