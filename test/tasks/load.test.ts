import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HeddleError } from '../../lib/errors.js';
import { load } from '../../lib/tasks/load.js';
import { nativeBackend } from '../native.js';
import { cosine, type Edits, shardedBert, tinyBert, tinyFolder } from './tiny_model.js';

const { addon } = nativeBackend();
/** What is alive in native memory. */
const alive = (): { states: number; stateBytes: number; plans: number } => {
  const { states, stateBytes, plans } = addon.counters();
  return { states, stateBytes, plans };
};

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'loaded',
    (error: unknown) => error,
  );

describe('load', () => {
  it('opens a folder', async () => {
    using model = await load(tinyBert);
    expect(model).toMatchObject({ architecture: 'BertForMaskedLM', kind: 'encoder' });
    expect([model.maxLength, model.parameters, model.tokenizer]).toEqual([48, 28_320, undefined]);
    expect(model.config.hidden_size).toBe(32);
  });

  it('finds a hub id in the cache that an option names', async () => {
    const cacheDir = await tinyFolder();
    const commit = '0123456789'.repeat(4);
    const repository = join(cacheDir, 'models--some--model');
    cpSync(tinyBert, join(repository, 'snapshots', commit), { recursive: true });
    mkdirSync(join(repository, 'refs'));
    writeFileSync(join(repository, 'refs', 'main'), commit);
    using model = await load('some/model', { cacheDir, localFilesOnly: true });
    expect(model.architecture).toBe('BertForMaskedLM');
    const other = load('some/other', { cacheDir, localFilesOnly: true });
    await expect(other).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    await expect(load('some/model', { cacheDir: '' })).rejects.toThrow(/cacheDir.*a folder/);
  });

  it('opens shards, and gives every byte back', async () => {
    const before = alive();
    const model = await load(shardedBert);
    await model.forward({ inputIds: [[5, 6, 7]] });
    expect(alive().stateBytes).toBeGreaterThan(before.stateBytes);
    expect(alive().plans).toBeGreaterThan(before.plans);
    model.dispose();
    await expect.poll(alive).toEqual(before);
  });

  it('refuses a checkpoint that is replaced while it is read', async () => {
    const folder = await tinyFolder();
    const weights = join(folder, 'model.safetensors');
    const onProgress = (): void => {
      copyFileSync(weights, `${weights}.new`);
      renameSync(`${weights}.new`, weights);
    };
    const before = alive();
    await expect(load(folder, { onProgress })).rejects.toMatchObject({
      code: 'ERR_FILE',
      message: expect.stringMatching(/model\.safetensors: changed while it was being loaded/),
    });
    expect(alive()).toEqual(before);
  });

  it('reads anew what was rewritten in place, whatever its times say', async () => {
    const folder = await tinyFolder();
    const weights = join(folder, 'model.safetensors');
    const input = { inputIds: [[5, 6, 7]] };
    using first = await load(folder);
    const old = (await first.forward(input)).logits.data;
    const { atime, mtime } = statSync(weights);
    const bytes = readFileSync(weights);
    bytes.fill(0, bytes.length - 4000);
    writeFileSync(weights, bytes);
    utimesSync(weights, atime, mtime);
    using second = await load(folder);
    expect((await second.forward(input)).logits.data).not.toEqual(old);
  });

  it.skipIf(process.platform === 'win32')(
    'does not wait for a FIFO in the place of a file',
    async () => {
      for (const name of ['config.json', 'model.safetensors', 'tokenizer.json', 'modules.json']) {
        const folder = await tinyFolder();
        rmSync(join(folder, name), { force: true });
        execFileSync('mkfifo', [join(folder, name)]);
        await expect(load(folder), name).rejects.toMatchObject({ name: 'HeddleError' });
      }
    },
  );

  it('holds two models of one file in the memory of one', async () => {
    using first = await load(tinyBert);
    const one = alive();
    using second = await load(tinyBert);
    expect(alive().stateBytes).toBe(one.stateBytes);
    first.dispose();
    const { lastHiddenState } = await second.forward(
      { inputIds: [[5, 6]] },
      { outputs: ['lastHiddenState'] },
    );
    expect(lastHiddenState.shape).toEqual([1, 2, 32]);
  });

  it.each(['float32', 'float16', 'bfloat16'] as const)('keeps weights in %s', async (dtype) => {
    using stored = await load(tinyBert);
    const before = alive().stateBytes;
    using converted = await load(tinyBert, { dtype });
    const added = alive().stateBytes - before;
    if (dtype === 'float32') expect(added).toBe(0);
    else expect(added).toBeGreaterThan(0);
    const inputs = { inputIds: [[2, 40, 41, 42, 3]] };
    const [a, b] = await Promise.all([stored.forward(inputs), converted.forward(inputs)]);
    expect(cosine(a.logits.data, b.logits.data)).toBeGreaterThan(0.999);
    expect(Buffer.from(a.logits.data.buffer).equals(Buffer.from(b.logits.data.buffer))).toBe(
      dtype === 'float32',
    );
  });

  it('reports bytes as they arrive, up to all of them', async () => {
    const seen: { loaded: number; total: number }[] = [];
    using _ = await load(tinyBert, { onProgress: (progress) => seen.push(progress) });
    const loaded = seen.map((progress) => progress.loaded);
    expect(loaded).toEqual([...loaded].sort((a, b) => a - b));
    expect(new Set(seen.map(({ total }) => total)).size).toBe(1);
    expect(loaded.at(-1)).toBe(seen[0].total);
  });

  it('stops where a signal says so, and keeps nothing', async () => {
    const before = alive();
    const reason = new Error('enough');
    expect(await failure(load(tinyBert, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    const controller = new AbortController();
    const onProgress = (): void => controller.abort(reason);
    const stopped = load(await tinyFolder(), { signal: controller.signal, onProgress });
    expect(await failure(stopped)).toBe(reason);
    await expect.poll(alive).toEqual(before);
  });
});

const config = (fields: Record<string, unknown>): Edits => ({ config: fields });

/** What is wrong with the folder, the error's code, and what its message must hold. */
const wrong: [what: string, edits: Edits, code: string, message: RegExp][] = [
  ['no config.json', { files: { 'config.json': null } }, 'ERR_NOT_FOUND', /config\.json/],
  ['no weights', { files: { 'model.safetensors': null } }, 'ERR_NOT_FOUND', /model\.safetensors/],
  [
    'pickled weights alone',
    { files: { 'model.safetensors': null, 'pytorch_model.bin': 'x' } },
    'ERR_UNSUPPORTED',
    /pytorch_model\.bin/,
  ],
  [
    'a missing shard',
    { from: shardedBert, files: { 'model-00002-of-00003.safetensors': null } },
    'ERR_NOT_FOUND',
    /model-00002-of-00003\.safetensors/,
  ],
  [
    'an index that leads out of the folder',
    {
      from: shardedBert,
      files: { 'model.safetensors.index.json': { weight_map: { a: '../x.safetensors' } } },
    },
    'ERR_FORMAT',
    /index\.json.*\.\.\/x/,
  ],
  [
    'config.json that is no JSON',
    { files: { 'config.json': '{"a": ' } },
    'ERR_FORMAT',
    /config\.json/,
  ],
  ['config.json that is a list', { files: { 'config.json': '[]' } }, 'ERR_FORMAT', /config\.json/],
  ['another hidden size', config({ hidden_size: 36 }), 'ERR_SHAPE', /model\.safetensors.*36.*32/],
  ['another vocabulary', config({ vocab_size: 300 }), 'ERR_SHAPE', /word_embeddings.*300.*256/],
  ['one layer more', config({ num_hidden_layers: 3 }), 'ERR_NOT_FOUND', /encoder\.layer\.2/],
  ['layers below zero', config({ num_hidden_layers: -1 }), 'ERR_CONFIG', /num_hidden_layers.*-1/],
  ['half a layer', config({ num_hidden_layers: 1.5 }), 'ERR_CONFIG', /num_hidden_layers.*1\.5/],
  [
    'layers beyond counting',
    config({ num_hidden_layers: 1e9 }),
    'ERR_NOT_FOUND',
    /encoder\.layer\.2/,
  ],
  ['a width that is text', config({ hidden_size: '32' }), 'ERR_CONFIG', /hidden_size.*'?32'?/],
  ['a width that is not there', config({ hidden_size: undefined }), 'ERR_CONFIG', /hidden_size/],
  ['an epsilon that is text', config({ layer_norm_eps: 'small' }), 'ERR_CONFIG', /layer_norm_eps/],
  [
    'heads that do not divide',
    config({ num_attention_heads: 5 }),
    'ERR_SHAPE',
    /config\.json.*5 heads/,
  ],
  ['no heads', config({ num_attention_heads: 0 }), 'ERR_CONFIG', /num_attention_heads/],
  ['an unknown activation', config({ hidden_act: 'mish' }), 'ERR_UNSUPPORTED', /hidden_act.*mish/],
  [
    'an activation named as an object has it',
    config({ hidden_act: 'constructor' }),
    'ERR_UNSUPPORTED',
    /constructor/,
  ],
  [
    'an unknown architecture',
    config({ architectures: ['GPT9'] }),
    'ERR_UNSUPPORTED',
    /config\.json.*families Bert, .*GPT9/,
  ],
  [
    'no architecture and an unknown type',
    config({ architectures: undefined, model_type: '__proto__' }),
    'ERR_UNSUPPORTED',
    /__proto__/,
  ],
  [
    'architectures that are no list',
    config({ architectures: 'BertModel' }),
    'ERR_CONFIG',
    /architectures/,
  ],
  [
    'relative positions',
    config({ position_embedding_type: 'relative_key' }),
    'ERR_UNSUPPORTED',
    /relative_key/,
  ],
  [
    'labels that are a number',
    config({ architectures: ['BertForSequenceClassification'], id2label: 3 }),
    'ERR_CONFIG',
    /id2label/,
  ],
  [
    'a tokenizer that is no JSON',
    { files: { 'tokenizer.json': '{' } },
    'ERR_FORMAT',
    /tokenizer\.json/,
  ],
  [
    'a dense module',
    {
      files: {
        'modules.json': ['Transformer', 'Pooling', 'Dense'].map((type) => ({
          path: '',
          type: `sentence_transformers.models.${type}`,
        })),
        '1_Pooling/config.json': {},
      },
    },
    'ERR_UNSUPPORTED',
    /modules\.json.*Dense/,
  ],
];

describe('load refuses', () => {
  it.each(wrong)('%s', async (_, edits, code, message) => {
    const folder = await tinyFolder(edits);
    const before = alive();
    const error = await failure(load(folder));
    expect(error).toBeInstanceOf(HeddleError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect((error as HeddleError).message).toContain(folder);
    expect((error as HeddleError).message).not.toContain('undefined');
    await expect.poll(alive).toEqual(before);
  });

  it('sources that are none', async () => {
    const nowhere = join(tinyBert, 'nowhere');
    expect(await failure(load(nowhere))).toMatchObject({ code: 'ERR_NOT_FOUND', where: nowhere });
    expect(await failure(load('nobody/nothing'))).toMatchObject({ code: 'ERR_NOT_FOUND' });
    expect(await failure(load('../..//x'))).toMatchObject({ code: 'ERR_NOT_FOUND' });
    expect(await failure(load(join(tinyBert, 'config.json')))).toMatchObject({
      code: 'ERR_UNSUPPORTED',
    });
    for (const none of ['', undefined, null, 7, {}]) {
      expect(await failure(load(none as string))).toMatchObject({ code: 'ERR_ARGUMENT' });
    }
  });

  it('dtypes that are none', async () => {
    for (const dtype of ['float64', 'int2', '', 7]) {
      const error = await failure(load(tinyBert, { dtype: dtype as 'float32' }));
      expect(error).toMatchObject({
        code: 'ERR_UNSUPPORTED',
        message: expect.stringContaining(String(dtype)),
      });
    }
  });

  it('weights that shrink between header and reading', async () => {
    const folder = await tinyFolder();
    const before = alive();
    const onProgress = (): void => truncateSync(join(folder, 'model.safetensors'), 5000);
    const error = await failure(load(folder, { onProgress }));
    expect(error).toBeInstanceOf(HeddleError);
    expect((error as HeddleError).message).toContain(join(folder, 'model.safetensors'));
    await expect.poll(alive).toEqual(before);
  });
});
