import { describe, expect, it } from 'vitest';
import { load } from '../../lib/tasks/load.js';
import type { Model } from '../../lib/tasks/model.js';
import { nativeBackend } from '../native.js';
import { firstDifference } from '../reference.js';
import {
  cosine,
  letterTokenizer,
  sentenceTransformers,
  temporaryFolder,
  tinyBert,
  tinyFolder,
} from './tiny_model.js';

const { addon } = nativeBackend();
const open = async (...args: Parameters<typeof sentenceTransformers>): Promise<Model> =>
  load(await tinyFolder({ files: sentenceTransformers(...args) }));

/** Hidden states of one text, as rows, from `forward`. */
async function rowsOf(model: Model, text: string): Promise<number[][]> {
  const ids = model.tokenizer?.encode(text).ids as number[];
  const outputs = ['lastHiddenState'];
  const { lastHiddenState } = await model.forward({ inputIds: [ids] }, { outputs });
  return ids.map((_, i) => Array.from(lastHiddenState.data.subarray(i * 32, i * 32 + 32)));
}

const columns = (rows: number[][], combine: (column: number[]) => number): number[] =>
  rows[0].map((_, i) => combine(rows.map((row) => row[i])));
const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
const mean = (rows: number[][]): number[] => columns(rows, (column) => sum(column) / rows.length);
const max = (rows: number[][]): number[] => columns(rows, (column) => Math.max(...column));
const unit = (vector: number[]): number[] => vector.map((value) => value / Math.hypot(...vector));
const expectClose = (actual: Float32Array, expected: number[]): void =>
  expect(firstDifference(actual, expected, 2e-6, 1e-5)).toBeUndefined();

/** A flag for each pooling, in the older spelling. */
const only = (mode: string): object => ({
  pooling_mode_mean_tokens: false,
  [`pooling_mode_${mode}`]: true,
});

describe('pooling', () => {
  const text = 'a small cat, and 2 dogs.';
  const cases: [mode: string, pool: (rows: number[][]) => number[]][] = [
    ['mean_tokens', mean],
    ['cls_token', (rows) => rows[0]],
    ['lasttoken', (rows) => rows.at(-1) as number[]],
    ['max_tokens', max],
    ['mean_sqrt_len_tokens', (rows) => columns(rows, (c) => sum(c) / Math.sqrt(c.length))],
    [
      'weightedmean_tokens',
      (rows) =>
        columns(rows, (c) => sum(c.map((v, i) => v * (i + 1))) / sum(c.map((_, i) => i + 1))),
    ],
  ];

  it.each(cases)('%s, with unit length and without', async (mode, pool) => {
    using normalized = await open(only(mode));
    using plain = await open(only(mode), { normalize: false });
    const expected = pool(await rowsOf(plain, text));
    expectClose((await plain.embed(text))[0], expected);
    expectClose((await normalized.embed(text))[0], unit(expected));
    expectClose((await plain.embed(text, { normalize: true }))[0], unit(expected));
    expectClose((await normalized.embed(text, { normalize: false }))[0], expected);
  });

  it('of several kinds: their vectors one behind the other, of length 1 together', async () => {
    using model = await open({ pooling_mode_max_tokens: true });
    const rows = await rowsOf(model, text);
    const expected = [...max(rows), ...mean(rows)];
    expectClose((await model.embed(['x', text]))[1], unit(expected));
    expectClose((await model.embed(text, { normalize: false }))[0], expected);
    expectClose((await model.embed(text, { pooling: 'max' }))[0], unit(max(rows)));
  });

  it('is the mean without unit length in a folder that is not of sentence-transformers', async () => {
    using model = await load(await tinyFolder());
    expectClose((await model.embed(text))[0], mean(await rowsOf(model, text)));
  });

  it('of an unknown kind is refused', async () => {
    using model = await open({});
    const embedding = model.embed(text, { pooling: 'median' as 'mean' });
    await expect(embedding).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
      message: expect.stringMatching(/mean, first.*'median'/),
    });
  });
});

describe('prompts', () => {
  const prompts = { prompts: { query: 'ab: ', none: '' }, default_prompt_name: 'query' };

  it('stand before texts', async () => {
    using model = await open({}, { prompts });
    const [byDefault] = await model.embed('cat');
    const [plain] = await model.embed('cat', { promptName: 'none' });
    expectClose(byDefault, unit(mean(await rowsOf(model, 'ab: cat'))));
    expectClose(plain, unit(mean(await rowsOf(model, 'cat'))));
    expect((await model.embed('cat', { prompt: '' }))[0]).toEqual(plain);
    expect((await model.embed('ab: cat', { prompt: '' }))[0]).toEqual(byDefault);
    await expect(model.embed('cat', { promptName: 'no' })).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
    });
  });

  it('are left out of the pooling where include_prompt is false', async () => {
    using model = await open({ include_prompt: false }, { prompts });
    const texts = ['cat', 'a longer one, with 9 words', ''];
    const vectors = await model.embed(texts);
    for (const [i, text] of texts.entries()) {
      // [CLS] a ##b : are the prompt's; what follows is the text's, and [SEP].
      const rows = (await rowsOf(model, `ab: ${text}`)).slice(4);
      expectClose(vectors[i], unit(mean(rows)));
    }
    const [plain] = await model.embed('cat', { prompt: '' });
    expectClose(plain, unit(mean(await rowsOf(model, 'cat'))));
  });

  it('are left out of every pooling but that of the first token, also of several', async () => {
    const modes = { pooling_mode_cls_token: true, pooling_mode_max_tokens: true };
    using model = await open({ include_prompt: false, ...modes }, { prompts, normalize: false });
    const rows = await rowsOf(model, 'ab: cat');
    const rest = rows.slice(4);
    expectClose((await model.embed(['x', 'cat']))[1], [...rows[0], ...max(rest), ...mean(rest)]);
    await expect(model.embed('cat', { pooling: 'weightedMean' })).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
    });
  });
});

describe('embed', () => {
  it('follows do_lower_case', async () => {
    const tokenizer = await letterTokenizer({ lowercase: false });
    const files = (lower: boolean) => ({
      ...sentenceTransformers({}, { limits: { do_lower_case: lower } }),
      'tokenizer.json': tokenizer,
    });
    using lower = await load(await tinyFolder({ files: files(true) }));
    using asGiven = await load(await tinyFolder({ files: files(false) }));
    const [small] = await asGiven.embed('cat');
    const [great] = await asGiven.embed('CAT');
    expect(cosine(small, great)).toBeLessThan(0.999);
    expect((await lower.embed('CAT'))[0]).toEqual(small);
  });

  it('gives vectors in the order of the texts, the same bits as alone', async () => {
    using model = await open({});
    const texts = Array.from({ length: 150 }, (_, i) => `text ${i * 7919} `.repeat(1 + (i % 3)));
    const vectors = await model.embed(texts);
    expect(vectors).toHaveLength(150);
    for (const i of [0, 1, 74, 148, 149]) {
      const [alone] = await model.embed(texts[i]);
      expect(vectors[i]).toEqual(alone);
    }
    expect(new Set(vectors.map(String)).size).toBe(150);
  });

  it('takes the empty text, and no texts', async () => {
    using model = await open({});
    expectClose((await model.embed(''))[0], unit(mean(await rowsOf(model, ''))));
    expect(await model.embed([])).toEqual([]);
    expect(await model.embed(['', ''])).toHaveLength(2);
  });

  it('cuts texts at the limit of the folder, of the call, of the model', async () => {
    const limits = { max_seq_length: 10 };
    using model = await open({}, { limits });
    const letters = (count: number): string =>
      'abcdefgh'.repeat(9).slice(0, count).split('').join(' ');
    const [cut] = await model.embed(letters(40));
    expect(cut).toEqual((await model.embed(letters(8)))[0]); // and [CLS], [SEP]
    expect(cut).not.toEqual((await model.embed(letters(7)))[0]);
    expect((await model.embed(letters(40), { maxLength: 6 }))[0]).toEqual(
      (await model.embed(letters(4)))[0],
    );
    const longest = await model.embed(letters(72), { maxLength: 1000 });
    expect(longest[0]).toEqual((await model.embed(letters(46), { maxLength: 48 }))[0]);
    for (const maxLength of [0, -1, 1.5, Number.NaN, '8']) {
      const embedding = model.embed('a', { maxLength: maxLength as number });
      await expect(embedding).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    }
  });

  it('tells how far it is, to the end', async () => {
    using model = await open({});
    const texts = new Array(400).fill('some words here');
    const seen: number[] = [];
    await model.embed(texts, {
      onProgress: ({ done, total }) => {
        expect(total).toBe(400);
        seen.push(done);
      },
    });
    expect(seen.length).toBeGreaterThan(3);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(400);
  });

  it('rejects with the reason of a signal, and with what a callback throws', async () => {
    using model = await open({});
    const texts = new Array(2000).fill('some words here');
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    await expect(model.embed(texts, { signal })).rejects.toBe(reason);
    await expect(model.embed([], { signal })).rejects.toBe(reason);
    const controller = new AbortController();
    let done = 0;
    const stopped = model.embed(texts, {
      signal: controller.signal,
      onProgress: (progress) => {
        done = progress.done;
        controller.abort(reason);
      },
    });
    await expect(stopped).rejects.toBe(reason);
    expect(done).toBeLessThan(texts.length);
    const onProgress = (): void => {
      throw reason;
    };
    await expect(model.embed(texts, { onProgress })).rejects.toBe(reason);
    expect(await model.embed('still there')).toHaveLength(1);
  });

  it('ends as it would when the model is disposed meanwhile', async () => {
    const { stateBytes } = addon.counters();
    const model = await load(await tinyFolder({ files: sentenceTransformers({}) }));
    const texts = new Array(300).fill('some words here');
    const running = model.embed(texts);
    model.dispose();
    await expect(model.embed('a')).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
    expect(await running).toHaveLength(300);
    await expect.poll(() => addon.counters().stateBytes).toBe(stateBytes);
  });

  it('refuses what are no texts', async () => {
    using model = await open({});
    const holes = ['a', 'b', 'c'];
    delete holes[1];
    const wrong = [undefined, null, 7, {}, ['a', 7], ['a', null], [['a']], new Set(['a']), holes];
    for (const texts of wrong) {
      await expect(model.embed(texts as string[])).rejects.toMatchObject({ code: 'ERR_INPUT' });
    }
  });

  it('needs a tokenizer', async () => {
    using model = await load(tinyBert);
    await expect(model.embed('a')).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('tokenizer.json'),
    });
    await expect(load(await temporaryFolder())).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
  });

  it('refuses ids that the tokenizer has and the model has not', async () => {
    const tokenizer = (await letterTokenizer()) as { model: { vocab: Record<string, number> } };
    tokenizer.model.vocab.z = 300;
    const folder = await tinyFolder({ files: { 'tokenizer.json': tokenizer } });
    await expect(load(folder)).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringMatching(/tokenizer\.json.*below 256.*up to 300/),
    });
  });
});
