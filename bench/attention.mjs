/** Fused float32 attention, 12 heads of 64, against PyTorch's. Causal counts as half the arithmetic. */
import { availableParallelism } from 'node:os';
import { addon } from './addon.mjs';
import { alternate } from './alternate.mjs';
import { Peer, python, script } from './peer.mjs';
import { nodeTimes, repeatedKernel } from './plan.mjs';
import { randomFloats } from './random.mjs';
import { row } from './row.mjs';

const heads = 12;
const size = 64;

export async function bench({ quick, threads = Math.min(2, availableParallelism()), log }) {
  addon().setThreads(threads);
  const torch = await Peer.start('PyTorch', python, [script('attention.py'), String(threads)], {
    OMP_NUM_THREADS: String(threads),
  });
  const results = [];
  for (const length of quick ? [128, 512] : [128, 512, 2048]) {
    for (const causal of [false, true]) {
      const repeats = length > 512 ? 1 : 4;
      const plan = attentionPlan(length, causal, repeats);
      const width = heads * size;
      const rows = () => randomFloats(length * width);
      const inputs = [rows(), rows(), rows(), Int32Array.of(0, length), Int32Array.of(0, length)];
      const result = await alternate({
        ours: nodeTimes(plan, inputs, repeats),
        theirs: torch.measure({ heads, length, size, causal }),
        quick,
      });
      plan.release();
      const amount = ((causal ? 2 : 4) * length * length * width) / 1e6;
      const kase = `${length}${causal ? ' causal' : ''}`;
      const shape = [heads, length, size];
      const unit = 'GFLOP/s';
      results.push(
        row({ name: 'attention', kase, shape, threads, unit, amount, result, peer: torch }),
      );
      log(kase);
    }
  }
  torch.stop();
  return results;
}

function attentionPlan(length, causal, repeats) {
  const rows = { kind: 'input', dims: [length, heads * size] };
  const segments = { kind: 'input', dims: [2], dtype: 'int32' };
  return repeatedKernel({
    kernel: 'attention',
    operands: [rows, rows, rows, segments, segments, null, null, null, null, null, null],
    states: [],
    outputDims: [length, heads * size],
    ints: [heads, heads, -1, causal ? 0 : -1, 0],
    floats: [1 / Math.sqrt(size), 0],
    repeats,
  });
}
