/**
 * Native against JavaScript: a float32 product of square matrices by Heddle's kernel, by Heddle's own float64
 * backend, by a plain loop, and by packages of the registry. JavaScript runs on one thread whatever `threads` says.
 */
import { execPath } from 'node:process';
import { alternate } from './alternate.mjs';
import { linearPlan } from './linear.mjs';
import { Peer, script } from './peer.mjs';
import { stepTimes } from './plan.mjs';
import { row } from './row.mjs';

const peers = ['heddle-float64', 'float32-loop', 'ndarray-gemm', 'stdlib', 'tfjs-wasm'];

export async function bench({ quick, threads, log }) {
  const results = [];
  for (const n of quick ? [256] : [512, 1024]) {
    const repeats = 4;
    const linear = await linearPlan(n, n, n, repeats);
    for (const name of peers) {
      const env = { HEDDLE_BACKEND: 'reference' };
      const peer = await Peer.start(name, execPath, [script('javascript.mjs'), name], env);
      const result = await alternate({
        ours: stepTimes(linear, [linear.x]),
        theirs: peer.measure({ n }),
        quick,
      });
      await peer.stop();
      const kase = `gemm ${n}x${n}x${n}`;
      const amount = (2 * n ** 3) / 1e6;
      const unit = 'GFLOP/s';
      results.push(
        row({ name: 'javascript', kase, shape: [n, n, n], threads, unit, amount, result, peer }),
      );
      log(`${kase}, ${peer.name}`);
    }
    linear.release();
  }
  return results;
}
