/**
 * Where the time of an `embed` call goes: 256 sentences with all-MiniLM-L6-v2, node by node as the engine measures them, added
 * up by kernel. Beside each its share of the time, and for products and attention the rate and the share of the CPU's peak.
 * While nodes are timed, a barrier stands behind each, so that the whole takes a little longer than without.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { minilmFolder } from '../scripts/fetch-minilm.mjs';
import { addon } from './addon.mjs';
import { ceiling } from './ceiling.mjs';
import { watchKernels } from './watch_kernels.mjs';

const { texts } = JSON.parse(readFileSync(new URL('texts.json', import.meta.url), 'utf8'));

export async function bench({ quick, threads = Math.min(2, availableParallelism()), log }) {
  const { load } = await import('../dist/index.mjs');
  const folder = await minilmFolder();
  addon().setThreads(threads);
  const peak = ceiling(threads);
  const results = [];
  for (const dtype of ['float32', 'int8']) {
    const sums = new Map();
    const restore = watchKernels(sums); // before the model makes its plans
    const model = await load(folder, { dtype });
    await model.embed(texts);
    sums.clear();
    const runs = quick ? 2 : 6;
    for (let i = 0; i < runs; i++) await model.embed(texts);
    restore();
    model.dispose();
    log(dtype);
    const total = [...sums.values()].reduce((sum, { ns }) => sum + ns, 0);
    const shares = [...sums].sort(([, a], [, b]) => b.ns - a.ns);
    for (const [kernel, { ns, flops }] of shares) {
      const rate = flops / ns;
      results.push({
        name: 'profile',
        case: `${kernel}: ${((100 * ns) / total).toFixed(1)} % of the time`,
        heddle: flops === 0 ? Number((ns / 1e6).toFixed(2)) : Number(rate.toPrecision(4)),
        peer: null,
        peerName: '',
        ratio: null,
        unit: flops === 0 ? 'ms in all' : 'GFLOP/s',
        shareOfCeiling: flops === 0 || peak === null ? null : rate / peak,
        share: ns / total,
        threads,
        dtype,
        isa: addon().info().isa,
        runs,
        spread: 0,
      });
    }
  }
  return results;
}
