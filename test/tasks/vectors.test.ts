/** Sentence vectors, ranks and static embeddings against sentence-transformers and model2vec (scripts/fixtures/tasks.py). */
import { readFileSync } from 'node:fs';
import { cp, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { load } from '../../lib/tasks/load.js';
import { pipeline } from '../../lib/tasks/pipeline.js';
import { firstDifference } from '../reference.js';
import { fixture, temporaryFolder, tinyFolder } from './tiny_model.js';

type Rows = number[][];
const python = JSON.parse(readFileSync(fixture('tasks/vectors.json'), 'utf8')) as {
  rank: { query: string; documents: string[]; result: { corpus_id: number; score: number }[] }[];
  embed: Record<'plain' | 'query' | 'document' | 'truncated', Rows> & {
    texts: string[];
    ranges: [number[], number[]];
    precisions: Record<'int8' | 'uint8' | 'binary' | 'ubinary', Rows>;
    ranged: Record<'int8' | 'uint8', Rows>;
  };
} & Record<'model2vec' | 'model2vec-shared' | 'static', { texts: string[]; plain: Rows }>;

const difference = (found: readonly ArrayLike<number>[], rows: Rows): unknown =>
  firstDifference(
    Float32Array.from(found.flatMap((row) => Array.from(row))),
    rows.flat(),
    1e-5,
    1e-4,
  );

const model = await load(fixture('tasks/embed'));
afterAll(() => model.dispose());
const { texts } = python.embed;

describe('vectors like those of sentence-transformers', () => {
  it('with the prompts of queries and documents', async () => {
    expect(difference(await model.embed(texts), python.embed.plain)).toBeUndefined();
    expect(difference(await model.encodeQuery(texts), python.embed.query)).toBeUndefined();
    expect(difference(await model.encodeDocument(texts), python.embed.document)).toBeUndefined();
    expect(await model.encodeQuery('a', { prompt: 'x ' })).toEqual(await model.embed('a'));
  });

  it('with the first prompt that there is for documents', async () => {
    const prompts = { corpus: 'a ', passage: 'b ', query: 'c ' };
    const files = { 'config_sentence_transformers.json': { prompts } };
    using other = await load(await tinyFolder({ files }));
    expect(await other.encodeDocument('x')).toEqual(await other.embed('x', { prompt: 'b ' }));
    const named = await other.encodeDocument('x', { promptName: 'corpus' });
    expect(named).toEqual(await other.embed('x', { prompt: 'a ' }));
  });

  it('without a prompt where there is none for that side', async () => {
    const folder = await tinyFolder({
      files: {
        'config_sentence_transformers.json': { prompts: { x: 'a ' }, default_prompt_name: 'x' },
      },
    });
    using other = await load(folder);
    const plain = await other.embed('two dogs', { prompt: '' });
    expect(await other.encodeQuery('two dogs')).toEqual(plain);
    expect(await other.encodeDocument('two dogs')).toEqual(plain);
    expect(await other.embed('two dogs')).not.toEqual(plain);
  });

  it('cut to their first dimensions', async () => {
    const cut = await model.embed(texts, { truncateDim: 7 });
    expect(difference(cut, python.embed.truncated)).toBeUndefined();
  });

  it.each(['binary', 'ubinary'] as const)('as %s', async (precision) => {
    const found = await model.embed(texts, { precision });
    expect(found[0]).toBeInstanceOf(precision === 'binary' ? Int8Array : Uint8Array);
    expect(found.map((row) => Array.from(row))).toEqual(python.embed.precisions[precision]);
  });

  it.each(['int8', 'uint8'] as const)('as %s', async (precision) => {
    for (const [options, rows] of [
      [{}, python.embed.precisions[precision]],
      [{ ranges: python.embed.ranges }, python.embed.ranged[precision]],
    ] as const) {
      const found = await model.embed(texts, { precision, ...options });
      expect(found[0]).toBeInstanceOf(precision === 'int8' ? Int8Array : Uint8Array);
      // A number at the edge of a step may fall to either side of it.
      const steps = found.flatMap((row, i) => Array.from(row, (v, k) => Math.abs(v - rows[i][k])));
      expect(Math.max(...steps)).toBeLessThanOrEqual(1);
      expect(steps.filter((step) => step !== 0).length).toBeLessThan(0.02 * steps.length);
    }
  });

  it('refuse precisions and ranges that cannot be', async () => {
    const wrong: [object, RegExp][] = [
      [{ precision: 'int4' }, /precision.*ubinary.*'int4'/],
      [{ precision: 'int8' }, /ranges, or several texts/],
      [{ precision: 'int8', ranges: [[0], [1]] }, /ranges.*each of 24/],
      [{ precision: 'int8', ranges: 7 }, /ranges/],
      [{ ranges: python.embed.ranges }, /ranges.*int8/],
    ];
    for (const [options, message] of wrong) {
      await expect(model.embed('a', options)).rejects.toMatchObject({
        code: 'ERR_ARGUMENT',
        message: expect.stringMatching(message),
      });
    }
    expect(await model.embed([], { precision: 'int8' })).toEqual([]);
  });
});

describe('rerank', () => {
  it('gives the scores of CrossEncoder, best first', async () => {
    using encoder = await load(fixture('tasks/rank'));
    for (const { query, documents, result } of python.rank) {
      const ranked = await encoder.rerank(query, documents);
      expect(ranked).toEqual(
        result.map(({ corpus_id: index, score }) => ({
          index,
          score: expect.closeTo(score, 4),
          document: documents[index],
        })),
      );
      expect(await encoder.rerank(query, documents, { topK: 2 })).toEqual(ranked.slice(0, 2));
      const [best] = await encoder.rerank(query, documents, { activation: 'none' });
      expect(1 / (1 + Math.exp(-best.score))).toBeCloseTo(ranked[0].score, 6);
    }
    expect(await encoder.rerank('a', [])).toEqual([]);
  });

  it('does what the checkpoint says to the logit', async () => {
    const from = fixture('tasks/rank');
    const plain = { activation_fn: 'torch.nn.modules.linear.Identity' };
    using encoder = await load(from);
    const [logit] = await encoder.rerank('a', ['b'], { activation: 'none' });
    for (const [config, files] of [
      [{ sentence_transformers: plain }, {}],
      [{ sbert_ce_default_activation_function: plain.activation_fn }, {}],
      [{}, { 'config_sentence_transformers.json': plain }],
    ]) {
      using other = await load(await tinyFolder({ from, config, files, tokenizer: false }));
      expect(await other.rerank('a', ['b'])).toEqual([logit]);
    }
    const config = { sentence_transformers: { activation_fn: 'os.system' } };
    using other = await load(await tinyFolder({ from, config, tokenizer: false }));
    await expect(other.rerank('a', ['b'])).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });

  it('refuses other models and arguments', async () => {
    await expect(model.rerank('a', ['b'])).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    using classifier = await load(fixture('tasks/classify'));
    await expect(classifier.rerank('a', ['b'])).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(/one label; found joy, anger, fear/),
    });
    using encoder = await load(fixture('tasks/rank'));
    const wrong: [unknown, unknown, object, string][] = [
      [7, ['b'], {}, 'ERR_INPUT'],
      ['a', 'b', {}, 'ERR_INPUT'],
      ['a', ['b', 7], {}, 'ERR_INPUT'],
      ['a', ['b'], { topK: 0 }, 'ERR_ARGUMENT'],
      ['a', ['b'], { top_k: 1 }, 'ERR_ARGUMENT'],
      ['a', ['b'], { activation: 'tanh' }, 'ERR_ARGUMENT'],
    ];
    for (const [query, documents, options, code] of wrong) {
      const ranking = encoder.rerank(query as string, documents as string[], options);
      await expect(ranking).rejects.toMatchObject({ code });
    }
  });
});

describe('static embeddings', () => {
  it.each(['model2vec', 'model2vec-shared', 'static'] as const)('of %s', async (name) => {
    using table = await load(fixture(`tasks/${name}`));
    const { texts: given, plain } = python[name];
    const vectors = await table.embed(given);
    expect(difference(vectors, plain)).toBeUndefined();
    for (const [i, text] of given.entries()) {
      expect((await table.embed(text))[0]).toEqual(vectors[i]);
    }
    const extract = await pipeline('feature-extraction', fixture(`tasks/${name}`));
    const { data } = await extract(given, { pooling: 'mean', normalize: true });
    expect(difference([data], plain)).toBeUndefined();
    await extract.dispose();
    expect(table.architecture).toBe('StaticEmbedding');
    const { lastHiddenState } = await table.forward({ inputIds: [[5, 6, 5]] });
    expect(lastHiddenState.shape).toEqual([1, 3, plain[0].length]);
    expect(table.parameters % plain[0].length).toBe(0);
  });

  it('are found in a folder of their own below', async () => {
    const folder = await temporaryFolder();
    await cp(fixture('tasks/static'), folder, { recursive: true });
    await mkdir(join(folder, '0_StaticEmbedding'));
    for (const file of ['model.safetensors', 'tokenizer.json']) {
      await rename(join(folder, file), join(folder, '0_StaticEmbedding', file));
    }
    const types = ['StaticEmbedding', 'Normalize'];
    const modules = types.map((type, idx) => ({
      idx,
      name: `${idx}`,
      path: `${idx}_${type}`,
      type: `sentence_transformers.models.${type}`,
    }));
    await writeFile(join(folder, 'modules.json'), JSON.stringify(modules));
    using table = await load(folder);
    const { texts: given, plain } = python.static;
    expect(difference(await table.embed(given), plain)).toBeUndefined();
  });

  it('refuse tables that cannot be', async () => {
    const from = fixture('tasks/model2vec');
    const files = { 'tokenizer.json': null };
    const none = load(await tinyFolder({ from, tokenizer: false, files }));
    await expect(none).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
  });
});
