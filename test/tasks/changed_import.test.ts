/** Programs as they are written for @huggingface/transformers, with nothing changed but the import. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { node } from '../cli/heddle.js';
import { fixture } from './tiny_model.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
await mkdir(join(root, 'build'), { recursive: true });
const folder = await mkdtemp(join(root, 'build', 'changed-import-')); // where 'heddle' means the package itself
afterAll(() => rm(folder, { recursive: true, force: true }));

const program = `
const at = (name) => ${JSON.stringify(fixture('tasks/'))} + name;
async function main() {
  env.allowRemoteModels = false;
  env.localModelPath = at('');
  env.backends.onnx.wasm.numThreads = 1;
  let ready = false;
  const progress_callback = ({ status, progress }) => {
    if (status === 'progress' && !(progress >= 0 && progress <= 100)) throw new Error(progress);
    if (status === 'ready') ready = true;
  };
  const options = { dtype: 'fp32', device: 'cpu', progress_callback };
  const unmasker = await pipeline('fill-mask', at('fill-bert'), options);
  const classifier = await pipeline('sentiment-analysis', at('classify'), { dtype: 'fp32' });
  const ner = await pipeline('ner', 'ner-bert');
  const answerer = await pipeline('question-answering', at('answer'), { local_files_only: true, cache_dir: '.cache' });
  const zeroShot = await pipeline('zero-shot-classification', at('entail'));
  const extractor = await pipeline('embeddings', at('embed'), { config: null, quantized: false, dtype: { model: 'fp32' } });

  const results = {
    ready,
    fill: await unmasker('The [MASK] sat.', { top_k: 2 }),
    fills: await unmasker(['The [MASK] sat.', 'A [MASK].']),
    label: await classifier('I love it!'),
    labels: await classifier(['I love it!', 'No.']),
    all: await classifier('I love it!', { top_k: null }),
    allOfTwo: await classifier(['I love it!', 'No.'], { top_k: 2 }),
    tokens: await ner('Sarah lives in London', { ignore_labels: [] }),
    tokensOfTwo: await ner(['Sarah', 'London'], { ignore_labels: [] }),
    answer: await answerer('Who?', 'Sarah lives in London.'),
    answers: await answerer('Who?', 'Sarah lives in London.', { top_k: 2 }),
    zero: await zeroShot('They won.', ['sport', 'politics'], { multi_label: true }),
    zeros: await zeroShot(['They won.', 'No.'], ['sport', 'politics']),
  };
  const mean = await extractor(['a ship', 'a storm'], { pooling: 'mean', normalize: true });
  const bits = await extractor('a ship', { pooling: 'cls', quantize: true, precision: 'ubinary' });
  results.mean = [mean.dims, mean.type, mean.tolist().length, Array.from(mean.data).length];
  results.bits = [bits.dims, bits.type];
  results.parts = [Array.from(mean[0].data).length, [...mean].length, mean.slice(null, [0, 4]).normalize(2, -1).dims];
  const [a, b] = mean.tolist();
  results.same = [cos_sim(a, a), dot(a, b) - (await matmul(mean, mean.transpose(1, 0))).tolist()[0][1]].map(Math.round);
  results.normal = layer_norm(mean, [mean.dims[1]]).dims;
  for (const pipe of [unmasker, classifier, ner, answerer, zeroShot, extractor]) await pipe.dispose();
  console.log(JSON.stringify(results));
}
main();
`;

/** A cross-encoder, and an embedder without a pipeline, as model cards show them. */
const cards = `
const at = (name) => ${JSON.stringify(fixture('tasks/'))} + name;
async function main() {
  env.logLevel = LogLevel.ERROR;
  const model = await AutoModelForSequenceClassification.from_pretrained(at('rank'), { dtype: 'fp32', device: 'cpu' });
  const tokenizer = await AutoTokenizer.from_pretrained(at('rank'));
  const documents = ['Sarah lives in London.', 'The ship sailed.'];
  const features = tokenizer(Array(2).fill('Who lives in London?'), { text_pair: documents, padding: true, truncation: true });
  const { logits } = await model(features);
  const scores = logits.sigmoid().tolist();
  const ranked = scores.map(([score], index) => ({ score, index })).sort((a, b) => b.score - a.score);

  const encoder = await AutoModel.from_pretrained(at('embed'));
  const texts = await AutoTokenizer.from_pretrained(at('embed'));
  const inputs = await texts(['a ship', 'a storm broke the mast'], { padding: true, truncation: true, max_length: 32 });
  const { last_hidden_state } = await encoder(inputs);
  const vectors = mean_pooling(last_hidden_state, inputs.attention_mask).normalize(2, -1);
  const similarities = await matmul(vectors, vectors.transpose(1, 0));
  const ids = new Tensor('int64', BigInt64Array.from([2n, 7n, 3n]), [1, 3]);
  const { last_hidden_state: alone } = await encoder({ input_ids: ids, attention_mask: ids.map(() => 1n) });
  const { hidden_size } = await AutoConfig.from_pretrained(at('embed'));
  await Promise.all([model.dispose(), encoder.dispose()]);
  console.log(JSON.stringify({
    logits: [logits.dims, logits.type],
    ranked,
    ids: [inputs.input_ids.dims[0], inputs.input_ids.type, typeof inputs.input_ids.data[0]],
    text: texts.batch_decode(inputs.input_ids, { skip_special_tokens: true }),
    vectors: vectors.dims,
    similarities: similarities.tolist().flat().map((value) => Number(value.toFixed(5))),
    alone: alone.dims,
    hidden_size,
  }));
}
main();
`;

const score = expect.any(Number);
const filled = {
  score,
  token: expect.any(Number),
  token_str: expect.any(String),
  sequence: expect.any(String),
};
const labelled = { label: expect.stringMatching(/joy|anger|fear/), score };
const token = {
  entity: expect.any(String),
  score,
  index: expect.any(Number),
  word: expect.any(String),
  start: expect.any(Number),
  end: expect.any(Number),
};
const answer = {
  answer: expect.any(String),
  score,
  start: expect.any(Number),
  end: expect.any(Number),
};
const zero = (sequence: string): object => ({
  sequence,
  labels: expect.arrayContaining(['sport', 'politics']),
  scores: [score, score],
});

const shapes = {
  ready: true,
  fill: [filled, filled],
  fills: [Array(5).fill(filled), Array(5).fill(filled)],
  label: [labelled],
  labels: [labelled, labelled],
  all: [labelled, labelled, labelled],
  allOfTwo: [
    [labelled, labelled],
    [labelled, labelled],
  ],
  tokens: expect.arrayContaining([token]),
  tokensOfTwo: [expect.arrayContaining([token]), expect.arrayContaining([token])],
  answer,
  answers: [answer, answer],
  zero: zero('They won.'),
  zeros: [zero('They won.'), zero('No.')],
  mean: [[2, 24], 'float32', 2, 48],
  bits: [[1, 3], 'uint8'],
  parts: [24, 2, [2, 4]],
  same: [1, expect.closeTo(0)],
  normal: [2, 24],
};

const ranks = expect.arrayContaining([
  { score, index: 0 },
  { score, index: 1 },
]);
const similarity = expect.any(Number);
const cardShapes = {
  logits: [[2, 1], 'float32'],
  ranked: ranks,
  ids: [2, 'int64', 'bigint'],
  text: ['a ship', 'a storm broke the mast'],
  vectors: [2, 24],
  similarities: [1, similarity, similarity, 1],
  alone: [1, 3, 24],
  hidden_size: 24,
};

const names = [
  'AutoConfig',
  'AutoModel',
  'AutoModelForSequenceClassification',
  'AutoTokenizer',
  'LogLevel',
  'Tensor',
  'cos_sim',
  'dot',
  'env',
  'layer_norm',
  'matmul',
  'mean_pooling',
  'pipeline',
].join(', ');

describe('a program of @huggingface/transformers runs', () => {
  it.each([
    ['tasks', 'an ES module', 'tasks.mjs', program, shapes],
    ['tasks', 'CommonJS', 'tasks.cjs', program, shapes],
    ['models and tokenizers', 'an ES module', 'cards.mjs', cards, cardShapes],
    ['models and tokenizers', 'CommonJS', 'cards.cjs', cards, cardShapes],
  ])('with %s, as %s', async (_, __, file, body, expected) => {
    const importing = file.endsWith('.mjs')
      ? `import { ${names} } from 'heddle';`
      : `const { ${names} } = require('heddle');`;
    await writeFile(join(folder, file), importing + body);
    const { code, stdout, stderr } = await node([join(folder, file)], root);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual(expected);
  });
});
