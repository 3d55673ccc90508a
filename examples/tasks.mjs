/**
 * Writes the data of a small task and trains a model on it:
 *
 *   node examples/tasks.mjs copy|reverse|sort|recall|modular-addition [folder]
 *
 * copy, reverse and sort are learnt by an encoder–decoder, associative recall (keys with values, then a key; the answer is its
 * value) and addition modulo 29 by a decoder. Items for the evaluation are not among those for training.
 */
import { join } from 'node:path';
import { percent, train } from './heddle.mjs';

/** Mulberry32, so that everyone has the same data. */
function generator(seed) {
  let state = seed;
  return (count) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * count);
  };
}

const letters = [...'abcdefghijklmnopqrst'];
const modulus = 29;

/** Distinct numbers below `most`. */
function distinct(below, count, most) {
  const chosen = new Set();
  while (chosen.size < count) chosen.add(below(most));
  return [...chosen];
}

const word = (below) => Array.from({ length: 3 + below(10) }, () => letters[below(20)]);
const rewriting = (rewrite) => (below) => {
  const from = word(below);
  return [from.join(' '), rewrite(from).join(' ')];
};

const makers = {
  copy: rewriting((from) => from),
  reverse: rewriting((from) => from.toReversed?.() ?? [...from].reverse()),
  sort: rewriting((from) => [...from].sort()),
  recall(below) {
    const keys = distinct(below, 3 + below(6), 16);
    const values = keys.map(() => below(16));
    const asked = below(keys.length);
    const pairs = keys.map((key, i) => `k${key} v${values[i]}`);
    return [`${pairs.join(' ')} ? k${keys[asked]}`, `v${values[asked]}`];
  },
};

/** All sums, in random order: 150 are kept for the evaluation. */
function sums(below) {
  const all = Array.from({ length: modulus ** 2 }, (_, i) => {
    const [a, b] = [Math.floor(i / modulus), i % modulus];
    return [`${a} + ${b} =`, `${(a + b) % modulus}`];
  });
  for (let i = all.length - 1; i > 0; i--) {
    const other = below(i + 1);
    [all[i], all[other]] = [all[other], all[i]];
  }
  return { training: all.slice(150), evaluation: all.slice(0, 150) };
}

function drawn(make, below, count) {
  const seen = new Set();
  const items = [];
  while (items.length < count + 300) {
    const item = make(below);
    if (seen.has(item[0])) continue;
    seen.add(item[0]);
    items.push(item);
  }
  return { training: items.slice(300), evaluation: items.slice(0, 300) };
}

const encoderDecoder = {
  model_type: 'marian',
  d_model: 64,
  encoder_layers: 2,
  decoder_layers: 2,
  encoder_attention_heads: 4,
  encoder_ffn_dim: 128,
  max_position_embeddings: 64,
};
const decoder = {
  architectures: ['GPT2LMHeadModel'],
  model_type: 'gpt2',
  n_embd: 64,
  n_layer: 2,
  n_head: 4,
  n_inner: 128,
  // The usual 0.02 is for wide models: one of 64 columns begins with what 1 / √64 says.
  initializer_range: 0.1,
  n_positions: 64,
};
const adamW = (weightDecay) => ({ name: 'adamW', betas: [0.9, 0.98], weightDecay });
const rewritten = (steps) => ({
  task: 'sequence-to-sequence',
  model: encoderDecoder,
  steps,
  batchTokens: 600,
  optimizer: adamW(0.01),
  learningRate: { schedule: 'linear', peak: 0.002, warmup: 100 },
});
const answered = (steps, batchTokens, weightDecay, learningRate) => ({
  task: 'language-model',
  model: decoder,
  steps,
  batchTokens,
  optimizer: adamW(weightDecay),
  learningRate: { warmup: 100, ...learningRate },
});
const configs = {
  copy: rewritten(800),
  reverse: rewritten(900),
  sort: rewritten(1200),
  recall: answered(3600, 900, 0.1, { schedule: 'constant', peak: 0.001 }),
  // What makes 691 sums a rule and not a table is the decay (Power et al. 2022, "Grokking", section 3.3).
  'modular-addition': answered(2000, 320, 0.5, { schedule: 'cosine', peak: 0.003 }),
};

const [task, folder = join('runs', task ?? '')] = process.argv.slice(2);
if (!Object.hasOwn(configs, task ?? '')) {
  console.error(`usage: node examples/tasks.mjs ${Object.keys(configs).join('|')} [folder]`);
  process.exit(2);
}
const below = generator(1);
const { training, evaluation } =
  task === 'modular-addition' ? sums(below) : drawn(makers[task], below, 40_000);
const lines = (items) => items.map((item) => `${item.join('\t')}\n`).join('');
const config = {
  ...configs[task],
  tokenizer: 'words',
  data: 'training.tsv',
  evaluation: 'evaluation.tsv',
  exactMatch: true,
  evaluateEvery: 100,
  output: 'run',
};
const files = { 'training.tsv': lines(training), 'evaluation.tsv': lines(evaluation) };
const { step, accuracy } = await train(folder, config, files);
console.log(`${percent(accuracy)} of ${evaluation.length} held-out items right, at step ${step}`);
