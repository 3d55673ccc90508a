/**
 * The main job: 256 English sentences in one `embed` call with all-MiniLM-L6-v2, against onnxruntime in padded
 * batches of 32. Two comparisons: with tokenising on both sides, and with only ours paying for it.
 * Then how late a 5 ms timer comes meanwhile, and the smallest cosine to PyTorch's vectors.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { minilmFolder } from '../scripts/fetch-minilm.mjs';
import { addon } from './addon.mjs';
import { alternate, calls, quantile } from './alternate.mjs';
import { ceiling } from './ceiling.mjs';
import { embedFlops } from './encoder_flops.mjs';
import { Peer, peersHome, python, script } from './peer.mjs';
import { row } from './row.mjs';

const { texts, meanTokens } = JSON.parse(
  readFileSync(new URL('texts.json', import.meta.url), 'utf8'),
);

export async function bench({ quick, threads = Math.min(2, availableParallelism()), log }) {
  const { load } = await import('../dist/index.mjs');
  const model = await load(await minilmFolder(), { dtype: 'float32' });
  addon().setThreads(threads);
  log(`${texts.length} sentences of ${meanTokens} tokens on average`);
  const common = { name: 'embed', threads, more: { texts: texts.length, meanTokens } };
  const results = [];
  const peak = ceiling(threads);

  const onnx = join(peersHome, 'models', 'minilm.onnx');
  const peer = await Peer.start('onnxruntime', python, [
    script('embed_onnxruntime.py'),
    onnx,
    threads,
  ]);
  for (const tokenising of [true, false]) {
    const kase = `${texts.length} sentences${tokenising ? '' : ', peer given ids'}`;
    const ours = calls(() => model.embed(texts));
    const result = await alternate({ ours, theirs: peer.measure({ texts, tokenising }), quick });
    const share = peak === null ? null : embedFlops(model, texts) / 1e6 / result.ours / peak;
    const more = { ...common.more, ceiling: peak, shareOfCeiling: share };
    const amount = 1000 * texts.length;
    results.push(row({ ...common, kase, unit: 'texts/s', amount, result, peer, more }));
    log(kase);
  }
  peer.stop();

  results.push(...(await lateness(common, () => model.embed(texts), quick ? 3 : 10)));
  results.push(await cosine(common, await model.embed(texts)));
  model.dispose();
  return results;
}

/** How late a timer of 5 ms comes, in milliseconds, while `job` runs `times` times. */
async function lateness(common, job, times) {
  const late = [];
  let due = performance.now() + 5;
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(Math.max(0, now - due));
    due = now + 5;
  }, 5);
  for (let i = 0; i < times; i++) await job();
  clearInterval(timer);
  const figures = { p50: quantile(late, 0.5), p99: quantile(late, 0.99), max: Math.max(...late) };
  return Object.entries(figures).map(([name, value]) =>
    measurement(common, `5 ms timer late by, ${name}`, 'ms', value, late.length),
  );
}

async function cosine(common, vectors) {
  const torch = await Peer.start('PyTorch', python, ['-W', 'ignore', script('embed_torch.py')]);
  const kase = 'smallest cosine to PyTorch';
  if (torch.reason !== undefined) {
    return {
      ...measurement(common, kase, 'cosine', null, 0),
      peerName: torch.name,
      reason: torch.reason,
    };
  }
  const { vectors: expected } = await torch.ask({ texts });
  torch.stop();
  const cosines = vectors.map((vector, i) => cosineOf(vector, expected[i]));
  return {
    ...measurement(common, kase, 'cosine', Math.min(...cosines), vectors.length),
    peerName: torch.name,
  };
}

function cosineOf(a, b) {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / Math.sqrt(aa * bb);
}

/** A row of a figure that is not compared. */
function measurement({ name, threads, more }, kase, unit, value, runs) {
  const { isa } = addon().info();
  const absent = { peer: null, peerName: '', ratio: null, spread: 0 };
  return {
    name,
    case: kase,
    heddle: value,
    ...absent,
    unit,
    threads,
    dtype: 'float32',
    isa,
    runs,
    ...more,
  };
}
