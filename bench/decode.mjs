/**
 * SmolLM2-135M beside llama.cpp and PyTorch: prompts, tokens one by one, eight streams at once, the first token after `load`, and
 * how late a timer comes meanwhile. The same weights on both sides where bench/peers/setup.sh has made them; else a model of the
 * same shape with random ones, alone. PyTorch has random weights: what they are does not change the work.
 */
import { existsSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { addon } from './addon.mjs';
import { alternateWith, quantile } from './alternate.mjs';
import { makeModel, words } from './decode/random_model.mjs';
import { Peer, peersHome, python, script } from './peer.mjs';
import { latenessWhile } from './requests/callers.mjs';
import { row } from './row.mjs';

const models = join(peersHome, 'models');
const folderOf = (dtype) => join(models, `smollm2-${dtype}`);

/** A quick run leaves out what takes seconds, unless it is asked for. */
const quickCases = /^(prompt of 128|generating after 16|8 streams)$/;

let seed = 0;
/** Ids that no prompt before had, so that nothing of them is in the cache. */
const ids = (count) => {
  seed++;
  return Array.from(
    { length: count },
    (_, i) => 100 + ((i * 7919 + seed * 104729) % (words - 100)),
  );
};

export async function bench({
  quick,
  threads = Math.min(2, availableParallelism()),
  only: asked,
  log,
}) {
  const only = asked ?? (quick ? quickCases : /./);
  const { load } = await import('../dist/index.mjs');
  const results = [];
  for (const dtype of quick ? ['bfloat16'] : ['bfloat16', 'float32']) {
    const isMade = existsSync(folderOf(dtype));
    const folder = isMade ? folderOf(dtype) : makeModel();
    const peers = await peersOf(dtype, threads, quick);
    try {
      const open = async () => {
        const model = await load(folder, { dtype });
        addon().setThreads(threads);
        return model;
      };
      results.push(...(await ofModel(open, peers, { dtype, threads, quick, only, log })));
    } finally {
      for (const peer of peers) peer.stop();
      if (!isMade) rmSync(folder, { recursive: true });
    }
  }
  return results;
}

/** PyTorch takes seconds for a prompt on CPUs without bfloat16, and so has no part in a quick run. */
async function peersOf(dtype, threads, quick) {
  const file = join(models, `smollm2-${dtype}.gguf`);
  const llama = existsSync(file)
    ? await Peer.start('llama.cpp', python, [script('decode_llama.py'), file, String(threads)])
    : { name: 'llama.cpp', reason: 'no model (bench/peers/setup.sh)', measure() {}, stop() {} };
  if (quick || dtype === 'float32') return [llama];
  const torch = ['-W', 'ignore', script('decode_torch.py'), dtype, String(threads)];
  return [llama, await Peer.start(`PyTorch ${dtype}`, python, torch)];
}

async function ofModel(open, peers, { dtype, threads, quick, only, log }) {
  const [llama] = peers;
  const results = [];
  /** `once` gives milliseconds; `request` asks a peer for the same. */
  const measure = async (
    kase,
    { unit = 'tokens/s', tokens = 1, request, beside = [llama] },
    once,
  ) => {
    if (!only.test(kase)) return;
    const ours = async (reps) => {
      const times = [];
      for (let i = 0; i < reps; i++) times.push(await once());
      return times;
    };
    const measures = beside.map((peer) => peer.measure(request));
    const each = await alternateWith({ ours, peers: measures, quick });
    each.forEach((result, i) => {
      const amount = 1000 * tokens;
      const common = { name: 'decode', kase, threads, dtype, unit, amount };
      results.push(row({ ...common, result, peer: beside[i] }));
    });
    const ratios = results
      .slice(-each.length)
      .map(({ heddle, ratio }) => `${heddle} ${unit}, ${ratio}×`);
    log(`${kase}, ${dtype}: ${ratios.join('; ')}`);
  };

  const first = { work: 'first', length: 32 };
  await measure(
    'load to first token of a prompt of 32',
    { unit: '1/s', request: first },
    async () => {
      const begin = performance.now();
      const own = await open();
      await own.generate({ inputIds: ids(32) }, { maxNewTokens: 1, eosTokenId: null });
      const end = performance.now();
      own.dispose();
      return end - begin;
    },
  );

  const model = await open();
  for (const length of [128, 512]) {
    const beside = length === 512 ? peers : [llama];
    const request = { work: 'prompt', length };
    await measure(`prompt of ${length}`, { tokens: length, request, beside }, async () => {
      const begin = performance.now();
      await model.generate({ inputIds: ids(length) }, { maxNewTokens: 1, eosTokenId: null });
      return performance.now() - begin;
    });
  }
  const steps = quick ? 8 : 32;
  /** Milliseconds of writing, from the first token of each of `streams` texts on. */
  const writing = async (streams, length, doSample = false) => {
    let begin = 0;
    let started = 0;
    const write = async () => {
      const options = { maxNewTokens: steps + 1, eosTokenId: null, doSample };
      let count = 0;
      for await (const _ of model.stream({ inputIds: ids(length) }, options)) {
        if (count++ > 0) continue;
        started++;
        if (started === streams) begin = performance.now();
      }
    };
    await Promise.all(Array.from({ length: streams }, write));
    return performance.now() - begin;
  };
  for (const context of [16, 512]) {
    const beside = context === 512 ? peers : [llama];
    const request = { work: 'generate', context, steps };
    const kase = `generating after ${context}`;
    await measure(kase, { tokens: steps, request, beside }, () => writing(1, context));
  }
  for (const unified of [true, false]) {
    const kase = `8 streams${unified ? '' : ', the peer with a cache for each'}`;
    const request = { work: 'generate', streams: 8, context: 16, steps, unified };
    await measure(kase, { tokens: 8 * steps, request }, () => writing(8, 16));
  }
  model.dispose();

  if (only.test('5 ms timer')) {
    // From the first prompt of a new model on: what is prepared once holds the event loop too.
    const other = await open();
    results.push(...(await lateness(other, { dtype, threads, quick })));
    other.dispose();
    log(`5 ms timer, ${dtype}`);
  }
  return results;
}

/** How late a timer of 5 ms comes while four texts of a model are written, some with tokens that are drawn. */
async function lateness(model, { dtype, threads, quick }) {
  const write = (doSample) =>
    model.generate(
      { inputIds: ids(16) },
      { maxNewTokens: quick ? 16 : 64, eosTokenId: null, doSample },
    );
  const four = () => Promise.all([write(false), write(false), write(true), write(true)]);
  const late = await latenessWhile(four, quick ? 2 : 6);
  const figures = { p50: quantile(late, 0.5), p99: quantile(late, 0.99), max: Math.max(...late) };
  return Object.entries(figures).map(([name, value]) => {
    const result = { ours: 1, theirs: null, runs: late.length, spread: 0 };
    const kase = `5 ms timer late by, ${name}, 4 streams`;
    const common = { name: 'decode', kase, threads, dtype, unit: 'ms', amount: value };
    return row({ ...common, result, peer: { name: '' } });
  });
}
