/** all-MiniLM-L6-v2 with its real weights, against vectors of PyTorch. */
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import { inspect } from '../../lib/tasks/inspect.js';
import { load } from '../../lib/tasks/load.js';
import type { LoadOptions } from '../../lib/tasks/load_options.js';
import { pipeline } from '../../lib/tasks/pipeline.js';
import { passagesOf, search } from '../../lib/tasks/search.js';
import { minilmFolder } from '../../scripts/fetch-minilm.mjs';
import { nativeBackend } from '../native.js';
import { cosine } from './tiny_model.js';

const { addon } = nativeBackend();
const fixture = new URL('../fixtures/minilm_expected.json', import.meta.url);
const golden: { texts: string[]; input_ids: number[][]; embeddings: number[][] } = JSON.parse(
  await readFile(fixture, 'utf8'),
);
const { texts: benchTexts }: { texts: string[] } = JSON.parse(
  await readFile(new URL('../../bench/texts.json', import.meta.url), 'utf8'),
);
const folder = await minilmFolder();
const model = await load(folder);
afterAll(() => model.dispose());

/** Sentences of different lengths. */
const sentences = Array.from({ length: 96 }, (_, i) =>
  `${golden.texts[i % 6]} ${i} `.repeat(1 + (i % 4)),
);

describe('all-MiniLM-L6-v2', () => {
  it('is what its files say', () => {
    expect([model.architecture, model.parameters, model.maxLength]).toEqual([
      'BertModel',
      22_713_216,
      256,
    ]);
  });

  it('has as many parameters to inspect as once loaded', async () => {
    expect((await inspect(folder)).parameters.total).toBe(model.parameters);
  });

  it('tokenises as the reference does', () => {
    const ids = golden.texts.map((text) => model.tokenizer?.encode(text, { maxLength: 256 }).ids);
    expect(ids).toEqual(golden.input_ids);
  });

  it("gives PyTorch's vectors", async () => {
    const vectors = await model.embed(golden.texts);
    expect(vectors).toHaveLength(golden.texts.length);
    vectors.forEach((vector, i) => {
      expect(vector).toHaveLength(384);
      expect(cosine(vector, golden.embeddings[i])).toBeGreaterThan(0.9999);
      const furthest = Math.max(
        ...vector.map((value, k) => Math.abs(value - golden.embeddings[i][k])),
      );
      expect(furthest).toBeLessThan(2e-5);
    });
    expect((await model.embed(golden.texts[3]))[0]).toEqual(vectors[3]);
  });

  it.each(['float16', 'bfloat16'] as const)('keeps its meaning in %s', async (dtype) => {
    const options: LoadOptions = { dtype };
    using converted = await load(folder, options);
    const vectors = await converted.embed(golden.texts);
    for (const [i, vector] of vectors.entries()) {
      expect(cosine(vector, golden.embeddings[i])).toBeGreaterThan(0.999);
    }
  });

  it.each([
    ['int8', 0.99, 0.995],
    ['int4', 0.92, 0.96],
  ] as const)('keeps the meaning of real sentences in %s', async (dtype, least, mean) => {
    const texts = benchTexts.slice(0, 100);
    using small = await load(folder, { dtype });
    const [found, expected] = await Promise.all([small.embed(texts), model.embed(texts)]);
    const cosines = found.map((vector, i) => cosine(vector, expected[i]));
    expect(Math.min(...cosines)).toBeGreaterThan(least);
    expect(cosines.reduce((a, b) => a + b) / cosines.length).toBeGreaterThan(mean);
  });

  it('has the same mean vectors in the pipeline of @huggingface/transformers', async () => {
    const extract = await pipeline('feature-extraction', folder);
    const { data, dims } = await extract(golden.texts.slice(0, 3), {
      pooling: 'mean',
      normalize: true,
    });
    expect(dims).toEqual([3, 384]);
    for (let i = 0; i < 3; i++) {
      expect(cosine(data.subarray(i * 384, (i + 1) * 384), golden.embeddings[i])).toBeGreaterThan(
        0.9999,
      );
    }
    await extract.dispose();
  });

  it('leaves the event loop turning while it embeds', async () => {
    let turns = 0;
    let isDone = false;
    const turn = (): void => {
      turns++;
      if (!isDone) setImmediate(turn);
    };
    const { runs } = addon.counters();
    setImmediate(turn);
    await model.embed(sentences);
    isDone = true;
    const chunks = addon.counters().runs - runs;
    expect(chunks).toBeGreaterThan(1);
    expect(turns).toBeGreaterThan(10 * chunks);
  });

  it('stops within a run where a signal says so', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const inputIds = new Array(64).fill(golden.input_ids.at(-1)); // far more than a moment's work
    const running = model.forward({ inputIds }, { signal: controller.signal });
    const { runs } = addon.counters();
    setTimeout(() => controller.abort(reason), 20);
    await expect(running).rejects.toBe(reason);
    expect(addon.counters().runs - runs).toBeLessThanOrEqual(1);
    expect(await model.embed(golden.texts[0])).toHaveLength(1);
  });

  it('ranks passages by meaning', async () => {
    const text = `# Kitchen

Bread is baked from flour, water, salt and yeast, in an oven that is very hot.

# Garden

Tomatoes want sun and water; in autumn the leaves of the apple tree fall on the lawn.

# Money

Share prices went down after the central bank had raised its interest rates again.
`;
    const passages = passagesOf(text, 'life.md');
    expect(passages).toHaveLength(3);
    const first = async (query: string): Promise<string> =>
      (await search(model, query, passages))[0].passage.headings[0];
    expect(await first('The stock market fell sharply.')).toBe('Money');
    expect(await first('growing vegetables')).toBe('Garden');
    expect(await first('how do I make a loaf?')).toBe('Kitchen');
    const all = await search(model, 'dough', passages);
    const scores = all.map(({ score }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(scores.every((score) => Math.abs(score) <= 1.000001)).toBe(true);
    expect(await search(model, 'dough', passages, { limit: 1 })).toEqual(all.slice(0, 1));
    expect(await search(model, 'dough', [])).toEqual([]);
    const stopped = search(model, 'dough', passages, { signal: AbortSignal.abort('no') });
    await expect(stopped).rejects.toBe('no');
  });

  it('embeds in several worker threads at once, on the weights of this one', async () => {
    const texts = sentences.slice(0, 24);
    const expected = await model.embed(texts);
    const { stateBytes } = addon.counters();
    const file = new URL('./embed_worker.mjs', import.meta.url);
    const workers = Array.from(
      { length: 3 },
      () => new Worker(file, { workerData: { folder, texts } }),
    );
    const vectors = await Promise.all(
      workers.map(
        (worker) =>
          new Promise<Float32Array[]>((resolve, reject) => {
            worker.once('message', resolve);
            worker.once('error', reject);
          }),
      ),
    );
    // All of them hold their models open still.
    expect(addon.counters().stateBytes).toBe(stateBytes);
    for (const result of vectors) expect(result).toEqual(expected);
    await Promise.all(workers.map((worker) => worker.terminate()));
    expect(addon.counters().stateBytes).toBe(stateBytes);
    expect(await model.embed(texts)).toEqual(expected);
  });
});
