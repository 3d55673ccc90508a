/**
 * Products of matrices against OpenBLAS, BLIS and two versions of oneDNN on the same shapes: y = x·Wᵀ with the weight packed
 * beforehand, in float32, bfloat16 and int8 (quantising x counts, on both sides), and the products of training, with neither
 * side packed. Then the same with one thread.
 *
 * `heddle` is the kernel's own rate inside a plan, as it runs in a model; `shareOfCeiling` is that over the CPU's measured
 * float32 peak, which int8 and bfloat16 may exceed.
 */
import { addon } from './addon.mjs';
import { alternateWith, calls, median } from './alternate.mjs';
import { ceilingsOf } from './ceiling.mjs';
import { threadCount } from './instruction_sets.mjs';
import { linearPlan, matmulPlan } from './linear.mjs';
import { Peer, program, python, script } from './peer.mjs';
import { stepTimes } from './plan.mjs';
import { row } from './row.mjs';

const shapes = [
  [512, 512, 512],
  [1024, 1024, 1024],
  [128, 384, 1536],
  [128, 768, 3072],
  [128, 2048, 5632],
  [512, 768, 768],
  [512, 768, 3072],
  [512, 2048, 5632],
  [32, 384, 1536],
  [32, 768, 3072],
  [8, 384, 1536],
  [8, 768, 3072],
  [1, 576, 1536],
  [1, 2048, 8192],
]; // M, K, N
const fewer = [
  [512, 768, 768],
  [128, 384, 1536],
  [512, 768, 3072],
];
const quickShapes = [
  [512, 768, 768],
  [128, 384, 1536],
  [8, 768, 3072],
];
const trained = [
  [1024, 1024, 1024],
  [512, 768, 3072],
]; // of each product: M, K, N
const forms = {
  nn: { label: 'A·B', transposeA: false, transposeB: false },
  nt: { label: 'A·Bᵀ', transposeA: false, transposeB: true },
  tn: { label: 'Aᵀ·B', transposeA: true, transposeB: false },
};
const repeats = 8;
/** From here on a second thread has to pay. */
const manyRows = 128;

export async function bench({ quick, threads, dtype: only, shapes: asked, log }) {
  const peers = await startPeers(threads, quick);
  const { gflops } = await ceilingsOf(threads);
  const setting = { threads, quick, peers, peak: gflops, log };
  const results = [];
  const measured = {
    float32: quick ? quickShapes : shapes,
    bfloat16: quick ? quickShapes.slice(0, 1) : fewer,
    int8: quick ? quickShapes.slice(0, 1) : fewer,
  };
  for (const dtype of only ? [only] : Object.keys(measured)) {
    for (const shape of asked ?? measured[dtype]) {
      results.push(...(await packed(shape, dtype, setting)));
    }
  }
  const unpackedShapes =
    only && only !== 'float32' ? [] : (asked ?? (quick ? quickShapes.slice(0, 1) : trained));
  for (const shape of unpackedShapes) {
    for (const form of quick ? ['tn'] : Object.keys(forms)) {
      results.push(...(await unpacked(shape, form, setting)));
    }
  }
  for (const peer of peers) await peer.stop();
  return results;
}

async function packed([m, k, n], dtype, { threads, quick, peers, peak, log }) {
  const plan = await linearPlan(m, k, n, repeats, dtype);
  const kase = { m, k, n, form: 'packed', dtype };
  const contestants = await ready(peers, kase);
  if (m >= manyRows && threads > 1) {
    contestants.push({ name: 'Heddle, 1 thread', measure: stepTimes(plan, [plan.x], 1) });
  }
  const plain = dtype === 'float32' ? undefined : await linearPlan(m, k, n, repeats);
  if (plain) {
    contestants.push({ name: 'Heddle, float32', measure: stepTimes(plain, [plain.x]) });
  }
  const outcomes = await alternateWith({
    ours: stepTimes(plan, [plan.x]),
    peers: contestants.map(({ measure }) => measure),
    quick,
  });
  plan.release();
  plain?.release();
  const amount = (2 * m * k * n) / 1e6;
  const call = quick ? null : Number((amount / (await callTime(m, k, n, dtype))).toPrecision(4));
  const common = { name: 'gemm', kase: `${m}x${k}x${n}`, shape: [m, k, n], threads, dtype };
  log(`${common.kase} ${dtype}`);
  return rows(common, amount, contestants, outcomes, { form: 'packed', call, ceiling: peak });
}

async function unpacked([m, k, n], form, { threads, quick, peers, peak, log }) {
  const plan = matmulPlan(m, k, n, repeats, forms[form]);
  const kase = { m, k, n, form, dtype: 'float32' };
  const contestants = await ready(peers, kase);
  const outcomes = await alternateWith({
    ours: stepTimes(plan, plan.inputs),
    peers: contestants.map(({ measure }) => measure),
    quick,
  });
  plan.release();
  const name = `${m}x${k}x${n} ${forms[form].label}`;
  const common = { name: 'gemm', kase: name, shape: [m, k, n], threads };
  log(name);
  return rows(common, (2 * m * k * n) / 1e6, contestants, outcomes, { form, ceiling: peak });
}

/** Those that have the product at all; one that only this CPU keeps from it leaves its row with the reason. */
async function ready(peers, kase) {
  const { dtype, form } = kase;
  const able = peers.filter(({ offers }) => offers(dtype, form));
  return Promise.all(able.map((peer) => peer.prepared(kase)));
}

function rows(common, amount, contestants, outcomes, more) {
  const share = Number((amount / outcomes[0].ours / more.ceiling).toPrecision(3));
  return contestants.map((peer, i) =>
    row({
      ...common,
      unit: 'GFLOP/s',
      amount,
      result: outcomes[i],
      peer,
      more: { ...more, shareOfCeiling: share },
    }),
  );
}

/** Milliseconds of a plan of one product, with all that an awaited call costs. */
async function callTime(m, k, n, dtype) {
  const single = await linearPlan(m, k, n, 1, dtype);
  const times = await calls(() => addon().run(single.plan, [], [single.x], null, null))(20);
  single.release();
  return median(times);
}

async function startPeers(threads, quick) {
  const env = threadCount(threads);
  const start = async (offers, ...command) => {
    return Object.assign(await Peer.start(...command, env), { offers });
  };
  const float32 = (dtype) => dtype === 'float32';
  const started = [
    start(float32, 'OpenBLAS', program('openblas'), []),
    start(float32, 'BLIS', program('blis'), []),
    start(() => true, 'oneDNN', program('onednn'), []),
  ];
  // Importing PyTorch takes seconds.
  if (!quick) {
    const packed = (dtype, form) => form === 'packed' && dtype !== 'int8';
    const args = [script('gemm_torch.py'), threads];
    started.push(start(packed, 'oneDNN in PyTorch', python, args));
  }
  return Promise.all(started);
}
