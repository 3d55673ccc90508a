/**
 * Writes the data of a small task and trains a model on it:
 *
 *   node examples/tasks.mjs copy|reverse|sort|recall|modular-addition [folder] [--steps N]
 *
 * copy, reverse and sort are learnt by an encoder–decoder, associative recall (keys with values, then a key; the answer is its
 * value) and addition modulo 29 by a decoder. No item is in two of training, validation and test; the validation chooses the
 * weights, and the share that is right is of the test.
 */
import { join } from 'node:path';
import { exampleArguments, failUsage, lines, percent, train } from './heddle.mjs';

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

/** All sums, in random order: 100 for the validation, 100 for the test. */
function sums(below) {
  const all = Array.from({ length: modulus ** 2 }, (_, i) => {
    const [a, b] = [Math.floor(i / modulus), i % modulus];
    return [`${a} + ${b} =`, `${(a + b) % modulus}`];
  });
  for (let i = all.length - 1; i > 0; i--) {
    const other = below(i + 1);
    [all[i], all[other]] = [all[other], all[i]];
  }
  return { validation: all.slice(0, 100), test: all.slice(100, 200), training: all.slice(200) };
}

function drawn(make, below, count) {
  const seen = new Set();
  const items = [];
  while (items.length < count + 600) {
    const item = make(below);
    if (seen.has(item[0])) continue;
    seen.add(item[0]);
    items.push(item);
  }
  return {
    validation: items.slice(0, 300),
    test: items.slice(300, 600),
    training: items.slice(600),
  };
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
const rewritten = {
  task: 'sequence-to-sequence',
  model: encoderDecoder,
  batchTokens: 600,
  optimizer: adamW(0.01),
  learningRate: { schedule: 'linear', peak: 0.002 },
};
const answered = { task: 'language-model', model: decoder };
const configs = {
  copy: { ...rewritten, steps: 800 },
  reverse: { ...rewritten, steps: 900 },
  sort: { ...rewritten, steps: 1200 },
  recall: {
    ...answered,
    steps: 3600,
    batchTokens: 900,
    optimizer: adamW(0.1),
    learningRate: { schedule: 'constant', peak: 0.001 },
  },
  // What makes some 600 sums a rule and not a table is the decay (Power et al. 2022, "Grokking", section 3.3).
  'modular-addition': {
    ...answered,
    steps: 2000,
    batchTokens: 320,
    optimizer: adamW(0.5),
    learningRate: { schedule: 'cosine', peak: 0.003 },
  },
};

const names = Object.keys(configs).join('|');
const usage = `tasks.mjs ${names} [folder] [--steps N]`;
const { positionals, ...given } = exampleArguments(usage, { most: 2 });
const [task, folder = join('runs', task ?? '')] = positionals;
if (!Object.hasOwn(configs, task ?? '')) failUsage(usage, 'which task?');
const { steps, learningRate } = { ...configs[task], ...given };
const below = generator(2);
const parts =
  task === 'modular-addition'
    ? sums(below)
    : drawn(makers[task], below, Math.min(60 * steps, 40_000));
const config = {
  ...configs[task],
  steps,
  learningRate: { ...learningRate, warmup: Math.min(100, Math.floor(steps / 2)) },
  tokenizer: 'words',
  data: 'training.tsv',
  evaluation: 'validation.tsv',
  test: 'test.tsv',
  exactMatch: true,
  evaluateEvery: 100,
  output: 'run',
};
const files = Object.fromEntries(
  Object.entries(parts).map(([part, items]) => [`${part}.tsv`, lines(items)]),
);
const { test } = await train(folder, config, files);
console.log(`${percent(test.accuracy)} of ${parts.test.length} items of the test right`);
