/**
 * all-MiniLM-L6-v2: batches of one length, and 256 English sentences in one `embed` call, in float32, int8 and bfloat16,
 * against onnxruntime, CTranslate2 and PyTorch. The peers are given ids while Heddle starts from text; those that pad also
 * with the sentences sorted by length. Beside each speed the smallest cosine of the
 * vectors to PyTorch's in float32, on either side.
 */
import { join } from 'node:path';
import { load } from '../dist/index.mjs';
import { minilmFolder } from '../scripts/fetch-minilm.mjs';
import { alternateWith, calls } from './alternate.mjs';
import { threadCount } from './instruction_sets.mjs';
import { Peer, peersHome, python, script } from './peer.mjs';
import { lateWhile } from './requests/callers.mjs';
import { row } from './row.mjs';
import { meanTokens, sentences, textsOfLength } from './texts.mjs';
import { workOf } from './work.mjs';

const lengths = [
  [1, 20],
  [32, 20],
  [1, 128],
  [32, 128],
]; // texts × tokens

/** Of so many texts of each case the vectors are compared. */
const compared = 32;

const model = (name) => join(peersHome, 'models', name);
const peersOf = {
  float32: [
    ['onnxruntime', 'embed_onnxruntime.py', model('minilm.onnx')],
    ['CTranslate2', 'embed_ctranslate2.py', model('minilm-ct2'), 'float32'],
  ],
  int8: [
    ['onnxruntime', 'embed_onnxruntime.py', model('minilm-int8.onnx')],
    ['CTranslate2', 'embed_ctranslate2.py', model('minilm-ct2'), 'int8'],
  ],
  bfloat16: [['PyTorch', 'embed_torch.py', 'bfloat16']],
};

export async function bench({ quick, threads, dtype: only, texts, log }) {
  const folder = await minilmFolder();
  const { tokenizer, dispose } = await tokenizerOf(folder);
  const cases = (quick ? lengths.slice(0, 1) : lengths).map(([count, tokens]) => {
    return { kase: `${count}x${tokens}`, texts: textsOfLength(count, tokens, tokenizer) };
  });
  dispose();
  const asked = texts ?? (quick ? sentences.slice(0, 32) : sentences);
  const kase = `${asked.length} ${texts ? 'texts given' : 'sentences'}`;
  cases.push({ kase, texts: asked, mixed: true });
  if (!quick) await addReference(cases); // importing PyTorch takes seconds
  const results = [];
  const usual = quick ? ['float32'] : Object.keys(peersOf);
  for (const dtype of only ? [only].filter((name) => name in peersOf) : usual) {
    results.push(...(await ofType(dtype, cases, { folder, threads, quick, log })));
  }
  return results;
}

async function tokenizerOf(folder) {
  const opened = await load(folder);
  return { tokenizer: opened.tokenizer, dispose: () => opened.dispose() };
}

/** Gives each case the vectors of PyTorch in float32, where it is there. */
async function addReference(cases) {
  const args = ['-W', 'ignore', script('embed_torch.py'), 'float32', 2];
  const torch = await Peer.start('PyTorch', python, args);
  for (const kase of cases) {
    if (torch.reason === undefined) {
      const texts = kase.texts.slice(0, compared);
      kase.reference = (await torch.ask({ texts, alone: true })).vectors;
    }
  }
  await torch.stop();
}

async function ofType(dtype, cases, { folder, threads, quick, log }) {
  const opened = await load(folder, { dtype });
  // Before there are peers: their threads spin for a while after each call, which would halve the ceiling.
  const works = [];
  for (const { texts } of cases) works.push(await workOf(() => opened.embed(texts)));
  const ceiling = Math.max(...works.map(({ ceilings }) => ceilings.gflops));
  const env = threadCount(threads);
  const peers = await Promise.all(
    peersOf[dtype].map(([label, file, ...args]) =>
      Peer.start(label, python, ['-W', 'ignore', script(file), ...args, threads], env),
    ),
  );
  const results = [];
  for (const [i, { kase, texts, reference, mixed }] of cases.entries()) {
    const vectors = await opened.embed(texts);
    const contestants = await contestantsOf(peers, {
      texts,
      dtype,
      reference,
      several: mixed && !quick,
    });
    const outcomes = await alternateWith({
      ours: calls(() => opened.embed(texts)),
      peers: contestants.map(({ measure }) => measure),
      quick,
    });
    const share = works[i].flops / 1e6 / outcomes[0].ours / ceiling;
    const more = {
      texts: texts.length,
      ...(mixed ? { meanTokens } : {}),
      cosine: cosine(vectors, reference),
      ceiling,
      shareOfCeiling: Number(share.toPrecision(3)),
    };
    const common = { name: 'embed', threads, dtype, unit: 'texts/s', amount: 1000 * texts.length };
    for (const [j, peer] of contestants.entries()) {
      const { way = '', cosine: peerCosine = null } = peer;
      const result = outcomes[j];
      results.push(
        row({ ...common, kase: `${kase}${way}`, result, peer, more: { ...more, peerCosine } }),
      );
    }
    log(`${kase} ${dtype}`);
  }
  for (const peer of peers) await peer.stop();
  const late = await lateWhile(() => opened.embed(cases.at(-1).texts), quick ? 1 : 5);
  results.push(lateness(late, dtype, threads));
  opened.dispose();
  return results;
}

/** Every peer with the case, and where texts differ in length the ways in which a careful user may call one that pads. */
async function contestantsOf(peers, { texts, dtype, reference, several }) {
  const ways = [{ tokenising: false, by_length: false }];
  if (several && dtype !== 'bfloat16') {
    ways.push({ tokenising: false, by_length: true, way: ', peer sorts by length' });
  }
  const contestants = [];
  for (const peer of peers) {
    const { name, reason } = peer;
    const found =
      reason === undefined && reference
        ? cosine((await peer.ask({ texts: texts.slice(0, compared) })).vectors, reference)
        : null;
    for (const { way, ...request } of ways) {
      const measure = peer.measure({ texts, ...request });
      contestants.push({ name, reason, way, cosine: found, measure });
    }
  }
  return contestants;
}

function lateness(late, dtype, threads) {
  const kase = '5 ms timer late by, max';
  const result = { ours: 1, theirs: null, runs: 1, spread: 0 };
  const peer = { name: '' };
  return row({ name: 'embed', kase, threads, dtype, unit: 'ms', amount: late, result, peer });
}

/** The smallest cosine of vectors of length 1 to those that are there of the others; null without any. */
function cosine(vectors, others) {
  if (others === undefined) return null;
  const dots = others.map((other, i) => other.reduce((sum, x, j) => sum + x * vectors[i][j], 0));
  return Number(Math.min(...dots).toFixed(5));
}
