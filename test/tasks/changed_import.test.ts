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

describe('a program of @huggingface/transformers runs', () => {
  it.each([
    [
      'an ES module',
      'program.mjs',
      "import { cos_sim, dot, env, layer_norm, matmul, pipeline } from 'heddle';",
    ],
    [
      'CommonJS',
      'program.cjs',
      "const { cos_sim, dot, env, layer_norm, matmul, pipeline } = require('heddle');",
    ],
  ])('as %s', async (_, file, importing) => {
    await writeFile(join(folder, file), importing + program);
    const { code, stdout, stderr } = await node([join(folder, file)], root);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual(shapes);
  });
});
