/**
 * Fine-tunes all-MiniLM-L6-v2, an embedder of English, so that a sentence and its German translation get vectors close to each
 * other, and counts how often the translation is the nearest of 500, before and after:
 *
 *   node examples/embedder.mjs [folder]
 *
 * The pairs are messages of Debian packages (examples/gettext.mjs); none of the package that is judged is learnt.
 */
import { join } from 'node:path';
import { cos_sim, load } from '../dist/index.mjs';
import { minilmFolder } from '../scripts/fetch-minilm.mjs';
import { germanPairs, lines, spread } from './gettext.mjs';
import { percent, train } from './heddle.mjs';

const [folder = join('runs', 'embedder')] = process.argv.slice(2);
const { train: all, test } = await germanPairs(join(folder, 'pairs'));
const isShort = ([english, german]) => english.length <= 80 && german.length <= 90;
const judged = spread(test.filter(isShort), 500);
const base = await minilmFolder({ note: (line) => console.error(line) });

/** The share of the English sentences whose translation is the nearest of all. */
async function found(source) {
  const model = await load(source);
  const [english, german] = [0, 1].map((side) => judged.map((pair) => pair[side]));
  const queries = await model.embed(english);
  const passages = await model.embed(german);
  model.dispose();
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
  output: 'run',
  steps: 80,
  batchExamples: 32,
  contextLength: 48,
  learningRate: { schedule: 'linear', peak: 4e-4, warmup: 8 },
  logEvery: 5,
};
const { model } = await train(folder, config, { 'training.tsv': lines(all.filter(isShort)) });
const after = await found(model);
console.log(
  `translations that are the nearest of ${judged.length}: ${percent(before)} before, ${percent(after)} after`,
);
