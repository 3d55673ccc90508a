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

const { texts } = JSON.parse(readFileSync(new URL('texts.json', import.meta.url), 'utf8'));

export async function bench({ quick, threads = Math.min(2, availableParallelism()), log }) {
  const { load } = await import('../dist/index.mjs');
  const folder = await minilmFolder();
  addon().setThreads(threads);
  const peak = ceiling(threads);
  const results = [];
  for (const dtype of ['float32', 'int8', 'int4']) {
    const sums = new Map();
    const restore = watch(sums); // before the model makes its plans
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

/** Has every plan that is made from now on timed, and adds its nodes up in `sums`. @returns what ends that. */
function watch(sums) {
  const { createPlan, run } = addon();
  const kernels = addon().kernels();
  const nodesOf = new Map();
  const own = { createPlan: addon().createPlan, run: addon().run };
  addon().createPlan = (words, states) => {
    const plan = createPlan(words, states);
    nodesOf.set(plan, parse(words, kernels));
    return plan;
  };
  addon().run = async (plan, symbols, inputs, cancel, profile) => {
    const nodes = nodesOf.get(plan);
    if (!nodes) return run(plan, symbols, inputs, cancel, profile);
    const times = new Float64Array(2 * nodes.length);
    const outputs = await run(plan, symbols, inputs, cancel, times);
    nodes.forEach(({ kernel, dims }, i) => {
      const sum = sums.get(kernel) ?? { ns: 0, flops: 0 };
      sum.ns += times[2 * i + 1] - times[2 * i];
      sum.flops += flopsOf(kernel, dims, symbols);
      sums.set(kernel, sum);
    });
    return outputs;
  };
  return () => Object.assign(addon(), own);
}

/** Of products: 2·rows·K·N. Attention's depend on the lengths of the segments, and are not counted here. */
function flopsOf(kernel, dims, symbols) {
  if (!['linear', 'linearInt8', 'linearInt4'].includes(kernel)) return 0;
  const size = (dim) => (dim < 0 ? symbols[-1 - dim] : dim);
  const [[rows], [n, k]] = dims;
  return 2 * size(rows) * size(n) * size(k);
}

/** Nodes of a plan: kernel, and the dims of its first two operands (native/plan_format.h). */
function parse(words, kernels) {
  let at = 0;
  const word = () => Number(words[at++]);
  const [, symbols, values, nodes] = Array.from({ length: 8 }, word);
  at += symbols;
  const dims = Array.from({ length: values }, () => {
    at += 3;
    return Array.from({ length: word() }, word);
  });
  return Array.from({ length: nodes }, () => {
    const kernel = kernels[word()];
    const [inputs, outputs, ints, floats] = Array.from({ length: 4 }, word);
    const operands = Array.from({ length: inputs }, word);
    at += outputs + ints + floats;
    return { kernel, dims: operands.slice(0, 2).map((operand) => dims[operand]) };
  });
}
