/**
 * Trains a small encoder–decoder to translate English messages of programs into German, and scores what it makes of a package
 * that it has not seen (BLEU, chrF):
 *
 *   node examples/translation.mjs [folder] [--steps N]
 *
 * The default is what fits in two minutes; --steps 15000 is an evening. Messages (examples/gettext.mjs) are of many packages to
 * learn, of one whose loss chooses the weights, and of one for the test.
 */
import { join } from 'node:path';
import { loadTransformer, nn, ops, run, Tokenizer, tensor } from '../dist/index.mjs';
import { germanPairs, spread } from './gettext.mjs';
import { exampleArguments, heddle, lines, train, writeFiles } from './heddle.mjs';

const { steps = 450, positionals } = exampleArguments('translation.mjs [folder] [--steps N]');
const [folder = join('runs', 'translation')] = positionals;
const pairs = await germanPairs(join(folder, 'pairs'));
const isShort = ([english, german]) => english.length <= 100 && german.length <= 120;
const learnt = pairs.train.filter(isShort);
const judged = spread(pairs.test.filter(isShort), 300).sort((a, b) => a[0].length - b[0].length);

await writeFiles(folder, { 'text.txt': `${learnt.flat().join('\n')}\n` });
const tokenizerFolder = join(folder, 'tokenizer');
const sizes = ['--vocab-size', '3000', '--special-tokens', '<pad>,</s>'];
await heddle('tokenizer', 'train', ...sizes, '--out', tokenizerFolder, join(folder, 'text.txt'));

const evaluateEvery = Math.ceil(steps / 4);
const config = {
  task: 'sequence-to-sequence',
  model: {
    model_type: 'marian',
    d_model: 128,
    encoder_layers: 2,
    decoder_layers: 2,
    encoder_attention_heads: 4,
    encoder_ffn_dim: 512,
    max_position_embeddings: 256,
  },
  tokenizer: 'tokenizer',
  data: 'training.tsv',
  evaluation: 'validation.tsv',
  output: 'run',
  steps,
  batchTokens: 1024,
  optimizer: { name: 'muon', weightDecay: 0.01 },
  learningRate: { schedule: 'linear', peak: 0.01, warmup: Math.floor(steps / 10) },
  evaluateEvery,
};
const files = {
  'training.tsv': lines(learnt),
  'validation.tsv': lines(pairs.valid.filter(isShort)),
};
const { model: result } = await train(folder, config, files);

/** What the model writes, always taking the most probable token: ids of each source's translation. */
async function translate(model, sources, endId, most = 60) {
  const packed = nn.pack(sources);
  const { data: states, shape: size } = await run(model.model.encode(packed).hidden);
  const memory = { hidden: tensor(states, size), sequences: packed };
  const written = sources.map(() => [model.startId]);
  const isOpen = (ids) => !ids.includes(endId);
  for (let step = 0; step < most && written.some(isOpen); step++) {
    const target = nn.pack(written);
    const logits = model.model.decode(target, memory);
    const last = ops.pool(logits, target.offsets, sources.length, 'last');
    const { data } = await run(ops.argmax(last)); // of each text the id and its logit
    for (const [i, ids] of written.entries()) ids.push(data[2 * i]);
  }
  return written.map((ids) => ids.slice(1, isOpen(ids) ? undefined : ids.indexOf(endId)));
}

const model = await loadTransformer(result);
const tokenizer = await Tokenizer.load(result);
const { eos } = tokenizer.specialIds;
const sources = judged.map(([english]) => [
  ...tokenizer.encode(english, { addSpecialTokens: false }).ids,
  eos,
]);
const translations = [];
// Those of about the same length together: all are written until the last one ends.
for (let from = 0; from < sources.length; from += 50) {
  const written = await translate(model, sources.slice(from, from + 50), eos);
  translations.push(...written.map((ids) => tokenizer.decode(ids).trim()));
}
model.dispose();
const texts = (all) => all.map((text) => `${text}\n`).join('');
await writeFiles(folder, {
  'translations.txt': texts(translations),
  'references.txt': texts(judged.map(([, german]) => german)),
});
for (const share of [0.01, 0.3, 0.6]) {
  const i = Math.floor(share * judged.length);
  console.log(`${judged[i][0]}\n  → ${translations[i]}`);
}
const references = join(folder, 'references.txt');
await heddle('score', join(folder, 'translations.txt'), '--references', references);
