/**
 * Training steps against PyTorch's: AdamW on the shape of GPT-2, small, and on the base model of Vaswani et al. 2017 over
 * sentences of real lengths, which PyTorch pads and Heddle does not. Then the memory that the first takes beyond what the
 * idle process does, each in a process of its own, and where the time of a step goes, by op.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addon } from './addon.mjs';
import { alternate, alternateWith, calls } from './alternate.mjs';
import { ceilingsOf } from './ceiling.mjs';
import { Peer, python, script } from './peer.mjs';
import { row } from './row.mjs';
import { base, baseStep, gpt2, gpt2Flops, gpt2Step, writeGpt2 } from './train_models.mjs';

const { pairs } = JSON.parse(readFileSync(new URL('pair-lengths.json', import.meta.url), 'utf8'));

export async function bench({ quick, threads = Math.min(2, availableParallelism()), log }) {
  const heddle = await import('../dist/index.mjs');
  addon().setThreads(threads);
  const folder = mkdtempSync(join(tmpdir(), 'heddle-train-'));
  try {
    await writeGpt2(heddle, folder);
    const { gflops: peak } = await ceilingsOf(threads);
    const context = { heddle, folder, quick, threads, log, peak };
    const results = await ofGpt2(context);
    if (quick) return results;
    results.push(...(await profile(context)), await memory(context));
    return [...results, ...(await ofBase(context))];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const startPeer = (mode, threads) =>
  Peer.start('PyTorch', python, [script('train.py'), String(threads), mode], {
    OMP_NUM_THREADS: String(threads),
  });

async function ofGpt2({ heddle, folder, quick, threads, log, peak }) {
  const results = [];
  const batch = quick ? 2 : gpt2.batch;
  const tokens = batch * gpt2.context;
  const kinds = quick
    ? [['float32', ['eager']]]
    : [
        ['float32', ['eager', 'compile']],
        ['bfloat16', ['bfloat16']],
      ];
  for (const [compute, modes] of kinds) {
    const peers = await Promise.all(modes.map((mode) => startPeer(mode, threads)));
    const step = await gpt2Step(heddle, folder, compute, batch);
    const measures = peers.map((peer) => peer.measure({ model: 'gpt2', batch }));
    const compared = await alternateWith({ ours: calls(step.run), peers: measures, quick });
    compared.forEach((result, i) => {
      const share = gpt2Flops(batch) / 1e6 / result.ours / peak;
      const more = { ceiling: peak, shareOfCeiling: compute === 'float32' ? share : null };
      const common = {
        name: 'train',
        kase: quick ? `GPT-2 shape, ${batch} texts` : 'GPT-2 shape',
        threads,
        unit: 'tokens/s',
      };
      const peer = peers[i];
      const amount = 1000 * tokens;
      results.push(row({ ...common, amount, dtype: compute, result, peer, more }));
    });
    for (const peer of peers) await peer.stop();
    step.dispose();
    log(`GPT-2 shape, ${compute}`);
  }
  return results;
}

/** Milliseconds of each op in a step, its rate where it multiplies. */
async function profile({ heddle, folder, threads }) {
  const step = await gpt2Step(heddle, folder, 'float32');
  const repeats = 3;
  const { isa, ceilings, nodes } = await heddle.profile(step.run, { repeats });
  step.dispose();
  const ops = new Map();
  for (const { op, ms, share, gflops } of nodes) {
    const sum = ops.get(op) ?? { ms: 0, share: 0, gflop: 0 };
    ops.set(op, { ms: sum.ms + ms, share: sum.share + share, gflop: sum.gflop + gflops * ms });
  }
  return [...ops]
    .sort(([, a], [, b]) => b.ms - a.ms)
    .map(([op, { ms, share, gflop }]) => ({
      name: 'train',
      case: `GPT-2 shape, ${op}: ${(100 * share).toFixed(1)} % of the time`,
      heddle: Number((gflop / ms).toPrecision(4)),
      peer: null,
      peerName: '',
      ratio: null,
      unit: 'GFLOP/s',
      ms: Number(ms.toPrecision(4)),
      ceiling: ceilings.gflops,
      shareOfCeiling: Number((gflop / ms / ceilings.gflops).toPrecision(3)),
      share,
      threads,
      dtype: 'float32',
      isa,
      runs: repeats,
      spread: 0,
    }));
}

/** MiB at the highest beyond the idle process; the peer's beyond the import of torch. Lower is better: so is the ratio. */
async function memory({ folder, threads, log }) {
  const program = fileURLToPath(new URL('train_memory.mjs', import.meta.url));
  const out = execFileSync(process.execPath, [program, folder, String(threads)]);
  const ours = JSON.parse(out).mib;
  const peer = await startPeer('eager', threads);
  const theirs = peer.reason === undefined ? (await peer.ask({ model: 'memory' })).mib : null;
  await peer.stop();
  log('memory');
  const result = { ours: 1, theirs: theirs === null ? null : ours / theirs, spread: 0, runs: 1 };
  const kase = 'GPT-2 shape, peak memory';
  const measured = row({ name: 'train', kase, threads, unit: 'MiB', amount: ours, result, peer });
  return { ...measured, ratio: theirs === null ? null : ours / theirs };
}

/** Sentence pairs until a side has as many tokens as a batch takes. */
function batchFrom(all, first) {
  const batch = [];
  const sums = [0, 0];
  for (let i = first; ; i++) {
    const pair = all[i % all.length];
    if (pair.some((n, side) => sums[side] + n > base.tokens)) return batch;
    batch.push(pair);
    for (const side of [0, 1]) sums[side] += pair[side];
  }
}

const tokensOf = (batch) => batch.flat().reduce((a, b) => a + b, 0);

function paddingShare(batches) {
  let [real, all] = [0, 0];
  for (const batch of batches) {
    real += tokensOf(batch);
    for (const side of [0, 1]) all += batch.length * Math.max(...batch.map((pair) => pair[side]));
  }
  return 1 - real / all;
}

/** Times of steps over batches in turn, each as if its batch had `tokens` tokens. */
function turns(batches, tokens, run) {
  let at = 0;
  return async (reps) => {
    const times = [];
    while (times.length < reps) {
      const batch = at++ % batches.length;
      times.push(((await run(batch)) * tokens) / tokensOf(batches[batch]));
    }
    return times;
  };
}

async function ofBase({ heddle, threads, log }) {
  const count = 3;
  const spread = Math.floor(pairs.length / count);
  const shuffled = Array.from({ length: count }, (_, i) => batchFrom(pairs, i * spread));
  const byLength = [...pairs].sort((a, b) => a[0] + a[1] - b[0] - b[1]);
  const bucketed = [0.25, 0.5, 0.8].map((q) => batchFrom(byLength, Math.floor(q * pairs.length)));
  const tokens = tokensOf(shuffled[0]);
  const step = await baseStep(heddle, shuffled);
  const ours = turns(shuffled, tokens, async (batch) => {
    const begin = performance.now();
    await step.run(batch);
    return performance.now() - begin;
  });
  const results = [];
  for (const [kase, batches] of Object.entries({ shuffled, bucketed })) {
    const peer = await startPeer('eager', threads);
    const ask = async (first) => (await peer.ask({ model: 'base', batches, first, reps: 1 })).ms[0];
    const theirs = peer.reason === undefined ? turns(batches, tokens, ask) : undefined;
    const result = await alternate({ ours, theirs, quick: true });
    const padding = paddingShare(batches);
    const text = `base, ${kase}: ${(100 * padding).toFixed(0)} % of the peer's tokens are padding`;
    const common = { name: 'train', kase: text, threads, unit: 'tokens/s', more: { padding } };
    results.push(row({ ...common, amount: 1000 * tokens, result, peer }));
    await peer.stop();
    log(`base, ${kase}`);
  }
  step.dispose();
  return results;
}
