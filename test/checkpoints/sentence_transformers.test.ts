import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readSentenceTransformers } from '../../lib/checkpoints/sentence_transformers.js';

let root: string;
let folder: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'heddle-sentence-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));
beforeEach(async () => {
  folder = join(root, String(count++));
  await mkdir(folder);
});

async function write(name: string, value: unknown): Promise<void> {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), JSON.stringify(value));
}

const modulesOf = (...modules: [type: string, path: string][]) =>
  write(
    'modules.json',
    modules.map(([type, path], idx) => ({
      idx,
      name: `${idx}`,
      path,
      type: `sentence_transformers.models.${type}`,
    })),
  );

const flags = (mode: string) => ({
  word_embedding_dimension: 384,
  pooling_mode_cls_token: mode === 'cls',
  pooling_mode_mean_tokens: mode === 'mean',
  pooling_mode_max_tokens: mode === 'max',
  pooling_mode_mean_sqrt_len_tokens: mode === 'mean_sqrt_len_tokens',
  pooling_mode_weightedmean_tokens: mode === 'weightedmean',
  pooling_mode_lasttoken: mode === 'lasttoken',
});

describe('readSentenceTransformers', () => {
  it('takes a plain model for one that is pooled by the mean', async () => {
    expect(await readSentenceTransformers(folder)).toEqual({
      isSentenceTransformers: false,
      isStatic: false,
      transformerFolder: folder,
      pooling: ['mean'],
      includePrompt: true,
      normalize: false,
      maxLength: undefined,
      lowerCase: false,
      prompts: new Map(),
      defaultPrompt: undefined,
      similarity: undefined,
      dimension: undefined,
    });
  });

  it('reads all that a folder says', async () => {
    await modulesOf(
      ['Transformer', '0_Transformer'],
      ['Pooling', '1_Pooling'],
      ['Normalize', '2_Normalize'],
    );
    await write('1_Pooling/config.json', { ...flags('cls'), include_prompt: false });
    await write('0_Transformer/sentence_bert_config.json', {
      max_seq_length: 256,
      do_lower_case: true,
    });
    await write('config_sentence_transformers.json', {
      prompts: { query: 'query: ', passage: 'passage: ' },
      default_prompt_name: 'query',
      similarity_fn_name: 'cosine',
    });
    expect(await readSentenceTransformers(folder)).toEqual({
      isSentenceTransformers: true,
      isStatic: false,
      transformerFolder: join(folder, '0_Transformer'),
      pooling: ['cls'],
      includePrompt: false,
      normalize: true,
      maxLength: 256,
      lowerCase: true,
      prompts: new Map([
        ['query', 'query: '],
        ['passage', 'passage: '],
      ]),
      defaultPrompt: 'query',
      similarity: 'cosine',
      dimension: 384,
    });
  });

  it.each(['cls', 'max', 'mean', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken'])(
    'knows the pooling %s in both spellings',
    async (mode) => {
      await modulesOf(['Transformer', ''], ['Pooling', '1_Pooling']);
      for (const config of [flags(mode), { pooling_mode: mode }, { pooling_mode: [mode] }]) {
        await write('1_Pooling/config.json', config);
        expect((await readSentenceTransformers(folder)).pooling).toEqual([mode]);
      }
    },
  );

  it('joins several poolings in the order of sentence-transformers', async () => {
    await modulesOf(['Transformer', ''], ['Pooling', '1_Pooling']);
    await write('1_Pooling/config.json', { ...flags('mean'), pooling_mode_cls_token: true });
    expect((await readSentenceTransformers(folder)).pooling).toEqual(['cls', 'mean']);
  });

  it('names a module that it does not have', async () => {
    await modulesOf(['Transformer', ''], ['Pooling', '1_Pooling'], ['Dense', '2_Dense']);
    await write('1_Pooling/config.json', flags('mean'));
    await expect(readSentenceTransformers(folder)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('Dense'),
    });
  });

  it.each<[string, string, unknown, string]>([
    ['modules that are no list', 'modules.json', {}, 'ERR_FORMAT'],
    ['no modules', 'modules.json', [], 'ERR_FORMAT'],
    ['a module without a type', 'modules.json', [{ path: '' }], 'ERR_FORMAT'],
    [
      'a path out of the folder',
      'modules.json',
      [{ type: 'Transformer', path: '../x' }],
      'ERR_FORMAT',
    ],
    ['a path that is ..', 'modules.json', [{ type: 'Transformer', path: '..' }], 'ERR_FORMAT'],
    ['pooling first', 'modules.json', [{ type: 'Pooling', path: '1_Pooling' }], 'ERR_UNSUPPORTED'],
    ['an unknown pooling', '1_Pooling/config.json', { pooling_mode: 'median' }, 'ERR_CONFIG'],
    ['no pooling', '1_Pooling/config.json', flags('none'), 'ERR_CONFIG'],
    [
      'a flag that is a number',
      '1_Pooling/config.json',
      { pooling_mode_cls_token: 1 },
      'ERR_CONFIG',
    ],
    ['a dimension of 0', '1_Pooling/config.json', { word_embedding_dimension: 0 }, 'ERR_CONFIG'],
    ['a length that is text', 'sentence_bert_config.json', { max_seq_length: '256' }, 'ERR_CONFIG'],
    ['prompts that are a list', 'config_sentence_transformers.json', { prompts: [] }, 'ERR_CONFIG'],
    [
      'a prompt that is a number',
      'config_sentence_transformers.json',
      { prompts: { a: 1 } },
      'ERR_CONFIG',
    ],
    [
      'a default that is no prompt',
      'config_sentence_transformers.json',
      { default_prompt_name: 'toString' },
      'ERR_CONFIG',
    ],
  ])('refuses %s', async (_what, file, value, code) => {
    await modulesOf(['Transformer', ''], ['Pooling', '1_Pooling']);
    await write('1_Pooling/config.json', flags('mean'));
    await write(file, value);
    await expect(readSentenceTransformers(folder)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(join(folder, file)),
    });
  });
});
