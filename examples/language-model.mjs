/**
 * Trains a language model on five novels of Jane Austen, judges it on a sixth, and lets it write:
 *
 *   node examples/language-model.mjs characters|subwords [folder] [--deb FILE]
 *
 * The novels are in the public domain; scripts/fetch-austen.mjs fetches them, on Debian.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Tokenizer } from '../dist/index.mjs';
import { writeNovels } from '../scripts/fetch-austen.mjs';
import { heddle, train, writeFiles } from './heddle.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { deb: { type: 'string' } },
});
const [kind, folder = join('runs', `austen-${kind}`)] = positionals;
if (kind !== 'characters' && kind !== 'subwords') {
  console.error('usage: node examples/language-model.mjs characters|subwords [folder]');
  process.exit(2);
}

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
const kinds = {
  characters: { tokenizer: 'characters', steps: 400 },
  subwords: { tokenizer: 'tokenizer', steps: 300 },
};
const config = {
  task: 'language-model',
  model,
  ...kinds[kind],
  data: 'training.txt',
  evaluation: 'evaluation.txt',
  output: 'run',
  contextLength: 128,
  batchTokens: 2048,
  optimizer: { name: 'muon', weightDecay: 0.01 },
  learningRate: { schedule: 'linear', peak: 0.01, warmup: 30 },
  evaluateEvery: 200,
};

const novels = join(folder, 'novels');
const held = join(novels, 'persuasion.txt');
// The last one that is written.
if (!existsSync(join(novels, 'sense-and-sensibility.txt'))) await writeNovels(novels, values.deb);
const others = [
  'emma',
  'mansfield-park',
  'northanger-abbey',
  'pride-and-prejudice',
  'sense-and-sensibility',
];
const texts = await Promise.all(
  others.map((name) => readFile(join(novels, `${name}.txt`), 'utf8')),
);
// The first tenth of the novel that is held out tells enough.
const evaluation = (await readFile(held, 'utf8')).slice(0, 45_000);
await writeFiles(folder, { 'training.txt': texts.join('\n') });
if (kind === 'subwords') {
  const options = ['--vocab-size', '2048', '--out', join(folder, 'tokenizer')];
  await heddle('tokenizer', 'train', ...options, join(folder, 'training.txt'));
}
const { model: result, loss } = await train(folder, config, { 'evaluation.txt': evaluation });

// The loss is of a token, in nats; a bit of a character is the same for every tokenizer (Shannon 1951).
const tokenizer = await Tokenizer.load(result);
const tokens = (evaluation.match(/[^\n]*\n|[^\n]+$/g) ?? []).reduce(
  (sum, line) => sum + tokenizer.encode(line, { addSpecialTokens: false }).ids.length,
  0,
);
const bits = (loss * (tokens - 1)) / Math.LN2 / (evaluation.length - 1);
console.log(`${bits.toFixed(3)} bits per character of a novel that was not learnt`);
const sampling = [
  '--max-new-tokens',
  kind === 'characters' ? '400' : '130',
  '--temperature',
  '0.8',
];
console.log('\nShe had always …');
await heddle('generate', '--model', result, ...sampling, 'She had always');
