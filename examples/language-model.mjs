/**
 * Trains a language model on four novels of Jane Austen, chooses its weights on a fifth, judges it on a sixth, and lets it write:
 *
 *   node examples/language-model.mjs characters|subwords [folder] [--steps N] [--deb FILE]
 *
 * The novels are in the public domain; scripts/fetch-austen.mjs fetches them, on Debian, unless they are in folder/novels.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from '../dist/index.mjs';
import { writeNovels } from '../scripts/fetch-austen.mjs';
import { exampleArguments, failUsage, heddle, train, writeFiles } from './heddle.mjs';

const usage = 'language-model.mjs characters|subwords [folder] [--steps N] [--deb FILE]';
const { positionals, deb, ...given } = exampleArguments(usage, {
  options: { deb: { type: 'string' } },
  most: 2,
});
const [kind, folder = join('runs', `austen-${kind}`)] = positionals;
if (kind !== 'characters' && kind !== 'subwords') failUsage(usage, 'of what?');
const { steps = kind === 'characters' ? 400 : 300 } = given;

const model = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 128,
  intermediate_size: 384,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  max_position_embeddings: 256,
  initializer_range: 0.05,
  tie_word_embeddings: true,
};
const config = {
  task: 'language-model',
  model,
  tokenizer: kind === 'characters' ? 'characters' : 'tokenizer',
  data: 'training.txt',
  evaluation: 'validation.txt',
  test: 'test.txt',
  output: 'run',
  steps,
  contextLength: 128,
  batchTokens: 2048,
  optimizer: { name: 'muon', weightDecay: 0.01 },
  learningRate: { schedule: 'linear', peak: 0.01, warmup: Math.min(30, Math.floor(steps / 2)) },
  evaluateEvery: 100,
};

const novels = join(folder, 'novels');
// The last one that is written.
if (!existsSync(join(novels, 'sense-and-sensibility.txt'))) await writeNovels(novels, deb);
const novel = (name) => readFile(join(novels, `${name}.txt`), 'utf8');
const learnt = ['emma', 'mansfield-park', 'pride-and-prejudice', 'sense-and-sensibility'];
// The first tenth of a novel that is not learnt tells enough.
const beginning = async (name) => (await novel(name)).slice(0, 45_000);
const [validation, test] = await Promise.all(['persuasion', 'northanger-abbey'].map(beginning));
const texts = await Promise.all(learnt.map(novel));
await writeFiles(folder, { 'training.txt': texts.join('\n') });
if (kind === 'subwords') {
  const options = ['--vocab-size', '2048', '--out', join(folder, 'tokenizer')];
  await heddle('tokenizer', 'train', ...options, join(folder, 'training.txt'));
}
const files = { 'validation.txt': validation, 'test.txt': test };
const { model: result, test: judged } = await train(folder, config, files);

// The loss is of a token, in nats; a bit of a character is the same for every tokenizer (Shannon 1951).
const tokenizer = await Tokenizer.load(result);
const tokens = (test.match(/[^\n]*\n|[^\n]+$/g) ?? []).reduce(
  (sum, line) => sum + tokenizer.encode(line, { addSpecialTokens: false }).ids.length,
  0,
);
const bits = (judged.loss * (tokens - 1)) / Math.LN2 / (test.length - 1);
console.log(`${bits.toFixed(3)} bits per character of the test, another novel`);
const sampling = [
  '--max-new-tokens',
  kind === 'characters' ? '400' : '130',
  '--temperature',
  '0.8',
];
console.log('\nShe had always …');
await heddle('generate', '--model', result, ...sampling, 'She had always');
