/**
 * Fused float32 attention, 12 heads of 64, forward and backward, against PyTorch's. Causal counts as half the arithmetic,
 * backward as 2.5 times forward: what a gradient needs that does not make the scores again. Timed inside a plan.
 */
import { alternate } from './alternate.mjs';
import { ceilingsOf } from './ceiling.mjs';
import { threadCount } from './instruction_sets.mjs';
import { Peer, python, script } from './peer.mjs';
import { repeatedSteps, stepTimes } from './plan.mjs';
import { randomFloats } from './random.mjs';
import { row } from './row.mjs';

const heads = 12;
const size = 64;
const width = heads * size;
const lengths = { forward: [128, 512, 2048, 8192], backward: [128, 512, 2048] };

export async function bench({ quick, threads, log }) {
  const args = [script('attention.py'), threads];
  const torch = await Peer.start('PyTorch', python, args, threadCount(threads));
  const { gflops: ceiling } = await ceilingsOf(threads);
  const results = [];
  for (const direction of ['forward', 'backward']) {
    for (const length of quick ? [512] : lengths[direction]) {
      for (const causal of [false, true]) {
        const backward = direction === 'backward';
        const { plan, inputs } = attention(length, causal, backward);
        const result = await alternate({
          ours: stepTimes(plan, inputs),
          theirs: torch.measure({ heads, length, size, causal, backward }),
          quick,
        });
        plan.release();
        const forward = ((causal ? 2 : 4) * length * length * width) / 1e6;
        const amount = (backward ? 2.5 : 1) * forward;
        const kase = `${direction} ${length}${causal ? ' causal' : ''}`;
        const shape = [heads, length, size];
        const shareOfCeiling = Number((amount / result.ours / ceiling).toPrecision(3));
        const more = { direction, causal, ceiling, shareOfCeiling };
        const common = { name: 'attention', kase, shape, threads, unit: 'GFLOP/s' };
        results.push(row({ ...common, amount, result, peer: torch, more }));
        log(kase);
      }
    }
  }
  await torch.stop();
  return results;
}

/**
 * A plan that repeats attention over one text, or its gradient by queries, keys and values, given what the way forward keeps.
 */
function attention(length, causal, backward) {
  const rows = { kind: 'input', dims: [length, width] };
  const segments = { kind: 'input', dims: [2], dtype: 'int32' };
  const operands = { q: rows, k: rows, v: rows, segments, keySegments: segments };
  const statistics = { kind: 'input', dims: [length, 2 * heads] };
  if (backward) Object.assign(operands, { output: rows, statistics, gradient: rows });
  const absent = Array(8).fill(null); // positions, biases, dropout
  const given = ['q', 'k', 'v', 'segments', 'keySegments', ...absent];
  const attributes = {
    ints: [heads, heads, -1, causal ? 0 : -1, 0, 0, 0],
    floats: [1 / Math.sqrt(size), 0, 1],
  };
  const own = backward ? ['output', 'statistics', 'gradient'] : [];
  const result = (out) => ({ out, dims: [length, width] });
  const step = {
    kernel: backward ? 'attentionGradient' : 'attention',
    in: [...given, ...own],
    ...result('first'),
    more: backward ? [result('byKeys'), result('byValues')] : [null],
    ...attributes,
  };
  const plan = repeatedSteps({ operands, steps: [step], repeats: length > 512 ? 1 : 4 });
  const inputs = Object.entries(operands).map(([name, { dims, dtype }]) => {
    if (dtype === 'int32') return Int32Array.of(0, length);
    // A greatest score of 1, above those of these random rows, and weights that add up to about 1.
    if (name === 'statistics') {
      return Float32Array.from({ length: 2 * length * heads }, (_, i) => (i % 2 ? 3 / length : 1));
    }
    return randomFloats(dims[0] * dims[1]);
  });
  return { plan, inputs };
}
