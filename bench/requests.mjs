/**
 * A web server's load: 64 callers, each embedding one sentence at a time with all-MiniLM-L6-v2, beside
 * @huggingface/transformers with onnxruntime-node used the same way, float32 on both sides. Then how late a 5 ms timer comes
 * meanwhile on either side, our bfloat16 and int8, and the latency of a caller that is alone.
 */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from '../dist/index.mjs';
import { minilmFolder } from '../scripts/fetch-minilm.mjs';
import { addon } from './addon.mjs';
import { alternate, quantile } from './alternate.mjs';
import { Peer, peersHome, script } from './peer.mjs';
import { lateWhile, serve } from './requests/callers.mjs';
import { row } from './row.mjs';
import { meanTokens, sentences as texts } from './texts.mjs';
import { workOf } from './work.mjs';

const callers = 64;

export async function bench({ quick, threads, log }) {
  const folder = await minilmFolder();
  const each = quick ? 1 : 4; // requests of a caller in one repetition
  const peer = await startPeer(folder, threads);
  peer.name += ', float32'; // in every row
  const common = { name: 'requests', threads, more: { callers, meanTokens } };
  const results = [];
  for (const dtype of quick ? ['float32'] : ['float32', 'bfloat16', 'int8']) {
    const model = await load(folder, { dtype });
    const once = () => serve((text) => model.embed(text), texts, callers, each);
    const ours = async (reps) => {
      const times = [];
      for (let i = 0; i < reps; i++) times.push(await once());
      return times;
    };
    const theirs = peer.measure({ texts, callers, each });
    const result = await alternate({ ours, theirs, quick });
    const kase = `${callers} callers, a sentence at a time`;
    const amount = 1000 * callers * each;
    // Each text that they send, once.
    const { flops, ceilings } = await workOf(() => model.embed(texts.slice(0, callers * each)));
    const rate = flops / 1e6 / result.ours;
    const share = Number((rate / ceilings.gflops).toPrecision(3));
    const more = { ...common.more, ceiling: ceilings.gflops, shareOfCeiling: share };
    results.push({
      ...row({ ...common, kase, unit: 'texts/s', amount, result, peer, more }),
      dtype,
    });
    log(`${kase}, ${dtype}`);
    const late = await lateWhile(once, quick ? 1 : 5);
    const peerLate = peer.reason
      ? null
      : (await peer.ask({ texts, callers, each, late: quick ? 1 : 5 })).late;
    results.push({
      ...measurement(common, '5 ms timer late by, max', late, peerLate, peer),
      dtype,
    });
    const alone = [];
    for (const text of texts.slice(0, quick ? 20 : 256)) {
      const begin = performance.now();
      await model.embed(text);
      alone.push(performance.now() - begin);
    }
    const latency = quantile(alone, 0.5);
    results.push({ ...measurement(common, 'a caller alone, p50', latency, null, peer), dtype });
    model.dispose();
  }
  await peer.stop();
  return results;
}

/** The model with its ONNX file where @huggingface/transformers looks for it. */
async function startPeer(folder, threads) {
  const onnx = join(peersHome, 'models', 'minilm-hidden.onnx');
  const model = join(peersHome, 'models', 'minilm-transformers-js');
  if (existsSync(onnx)) {
    mkdirSync(join(model, 'onnx'), { recursive: true });
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    writeFileSync(join(model, 'config.json'), JSON.stringify(config));
    for (const [from, to] of [
      [join(folder, 'tokenizer.json'), 'tokenizer.json'],
      [join(folder, 'tokenizer_config.json'), 'tokenizer_config.json'],
      [onnx, 'onnx/model.onnx'],
    ]) {
      if (existsSync(from) && !existsSync(join(model, to))) symlinkSync(from, join(model, to));
    }
  }
  const args = [script('requests_transformers.mjs'), model, threads];
  return Peer.start('@huggingface/transformers', process.execPath, args);
}

/** A row of milliseconds, of which fewer are better. */
function measurement({ name, threads, more }, kase, heddle, theirs, peer) {
  return {
    name,
    case: kase,
    heddle,
    peer: theirs,
    peerName: peer.name,
    ...(theirs === null && peer.reason ? { reason: peer.reason } : {}),
    ratio: theirs === null ? null : theirs / heddle,
    unit: 'ms',
    threads,
    isa: addon().info().isa,
    runs: 1,
    spread: 0,
    ...more,
  };
}
