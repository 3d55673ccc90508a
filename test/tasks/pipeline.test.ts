import { afterAll, describe, expect, it } from 'vitest';
import { pipeline } from '../../lib/tasks/pipeline.js';
import { firstDifference } from '../reference.js';
import { sentenceTransformers, tinyFolder } from './tiny_model.js';

const limits = { max_seq_length: 10 };
const folder = await tinyFolder({
  files: sentenceTransformers(
    {},
    { limits, prompts: { prompts: { a: 'b' }, default_prompt_name: 'a' } },
  ),
});
const extract = await pipeline('feature-extraction', folder);
afterAll(() => extract.dispose());

const texts = ['a cat', 'two dogs'];
const nested = (value: unknown): number[][][] => value as number[][][];

describe("pipeline('feature-extraction')", () => {
  it('gives every token’s vector by default, with zeros after shorter texts', async () => {
    const result = await extract(texts);
    expect([result.type, result.dims, result.size]).toEqual(['float32', [2, 9, 32], 576]);
    expect(result.data).toHaveLength(576);
    const list = nested(result.tolist());
    expect([list.length, list[0].length, list[0][0].length]).toEqual([2, 9, 32]);
    expect(list[1][8]).toEqual(Array.from(result.data.subarray(17 * 32)));
    expect(list[1][8].some((value) => value !== 0)).toBe(true);
    expect(
      list[0]
        .slice(6)
        .flat()
        .every((value) => value === 0),
    ).toBe(true); // [CLS] a c ##a ##t [SEP]
    expect(list[0][5].some((value) => value !== 0)).toBe(true);
    expect((await extract('a cat')).dims).toEqual([1, 6, 32]);
    expect((await extract([])).dims).toEqual([0, 0, 0]);
  });

  it.each(['mean', 'cls', 'first_token', 'last_token', 'eos'] as const)(
    'pools by %s',
    async (pooling) => {
      const tokens = nested((await extract(texts)).tolist());
      const pooled = await extract(texts, { pooling });
      expect(pooled.dims).toEqual([2, 32]);
      const expected = [6, 9].flatMap((length, i) => {
        const rows = tokens[i].slice(0, length);
        if (pooling === 'mean')
          return rows[0].map((_, c) => rows.reduce((s, r) => s + r[c], 0) / length);
        return pooling === 'cls' || pooling === 'first_token' ? rows[0] : rows[length - 1];
      });
      expect(firstDifference(pooled.data, expected, 1e-6, 1e-5)).toBeUndefined();
    },
  );

  it('normalises where asked to, whatever the folder says', async () => {
    const plain = await extract(texts, { pooling: 'mean' });
    const unit = await extract(texts, { pooling: 'mean', normalize: true });
    expect(Math.hypot(...plain.data.subarray(0, 32))).not.toBeCloseTo(1, 2);
    expect(Math.hypot(...unit.data.subarray(0, 32))).toBeCloseTo(1, 6);
    expect(Math.hypot(...unit.data.subarray(32))).toBeCloseTo(1, 6);
    const tokens = await extract(texts, { normalize: true });
    for (let at = 0; at < tokens.size; at += 32) {
      const isPadding = at / 32 >= 6 && at / 32 < 9;
      expect(Math.hypot(...tokens.data.subarray(at, at + 32))).toBeCloseTo(isPadding ? 0 : 1, 6);
    }
  });

  it('cuts at the limit of the model, not at that of sentence-transformers', async () => {
    const long = 'a '.repeat(60);
    expect((await extract(long)).dims).toEqual([1, 48, 32]);
    const tokens = nested((await extract(long)).tolist())[0];
    const mean = tokens[0].map((_, c) => tokens.reduce((sum, row) => sum + row[c], 0) / 48);
    const pooled = await extract(long, { pooling: 'mean' });
    expect(firstDifference(pooled.data, mean, 1e-6, 1e-5)).toBeUndefined();
  });

  it('refuses other tasks, models and poolings', async () => {
    const task = pipeline('translation' as 'feature-extraction', folder);
    await expect(task).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining("'translation'"),
    });
    const none = pipeline('feature-extraction', 7 as unknown as string);
    await expect(none).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    for (const pooling of ['max', 'constructor', '']) {
      await expect(extract('a', { pooling: pooling as 'mean' })).rejects.toMatchObject({
        code: 'ERR_ARGUMENT',
      });
    }
    for (const wrong of [7, null, [7], {}]) {
      await expect(extract(wrong as string)).rejects.toHaveProperty('name', 'HeddleError');
      await expect(extract(wrong as string, { pooling: 'mean' })).rejects.toMatchObject({
        code: 'ERR_INPUT',
      });
    }
  });

  it('stops where a signal says so', async () => {
    const signal = AbortSignal.abort('enough');
    await expect(extract(texts, { signal })).rejects.toBe('enough');
    await expect(extract(texts, { signal, pooling: 'mean' })).rejects.toBe('enough');
  });

  it('reports its loading, takes a dtype, and is disposed', async () => {
    const seen: number[] = [];
    const other = await pipeline('feature-extraction', folder, {
      dtype: 'bfloat16',
      progress_callback: (event) => {
        if (event.status === 'progress') seen.push(event.loaded / event.total);
        if (event.status === 'ready') seen.push(2);
      },
    });
    expect(seen.slice(-2)).toEqual([1, 2]);
    expect(other.task).toBe('feature-extraction');
    expect(other.model.architecture).toBe('BertForMaskedLM');
    await other.dispose();
    await other.dispose();
    await expect(other('a')).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });
});
