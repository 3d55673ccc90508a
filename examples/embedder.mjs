/**
 * Fine-tunes all-MiniLM-L6-v2, an embedder of English, so that a sentence and its German translation get vectors close to each
 * other, and counts how often the translation is the nearest of 500, before and after:
 *
 *   node examples/embedder.mjs [folder] [--steps N] [--model FOLDER]
 *
 * The pairs are messages of Debian packages (examples/gettext.mjs): many to learn, one whose loss chooses the weights, one for the
 * test. --model: another embedder to begin from.
 */
import { join, resolve } from 'node:path';
import { cos_sim, load } from '../dist/index.mjs';
import { minilmFolder } from '../scripts/fetch-minilm.mjs';
import { germanPairs, spread } from './gettext.mjs';
import { exampleArguments, lines, percent, train } from './heddle.mjs';

const {
  steps = 80,
  model,
  positionals,
} = exampleArguments('embedder.mjs [folder] [--steps N] [--model FOLDER]', {
  options: { model: { type: 'string' } },
});
const [folder = join('runs', 'embedder')] = positionals;
const { train: learnt, valid, test } = await germanPairs(join(folder, 'pairs'));
const isShort = ([english, german]) => english.length <= 80 && german.length <= 90;
const judged = spread(test.filter(isShort), 500);
const base = resolve(model ?? (await minilmFolder({ note: (line) => console.error(line) })));

/** The share of the English sentences whose translation is the nearest of all. */
async function found(source) {
  const embedder = await load(source);
  const [english, german] = [0, 1].map((side) => judged.map((pair) => pair[side]));
  const queries = await embedder.embed(english);
  const passages = await embedder.embed(german);
  embedder.dispose();
  const right = queries.filter((query, i) => {
    const scores = passages.map((passage) => cos_sim(query, passage));
    return scores.every((score, j) => j === i || score < scores[i]);
  });
  return right.length / judged.length;
}

const before = await found(base);
const config = {
  task: 'contrastive',
  model: base,
  data: 'training.tsv',
  evaluation: 'validation.tsv',
  output: 'run',
  steps,
  batchExamples: 32,
  contextLength: 48,
  learningRate: { schedule: 'linear', peak: 4e-4, warmup: Math.min(8, Math.floor(steps / 2)) },
  evaluateEvery: 20,
  logEvery: 5,
};
const files = {
  'training.tsv': lines(learnt.filter(isShort)),
  'validation.tsv': lines(spread(valid.filter(isShort), 500)),
};
const { model: result } = await train(folder, config, files);
const after = await found(result);
console.log(
  `translations that are the nearest of ${judged.length}: ${percent(before)} before, ${percent(after)} after`,
);
