import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../lib/checkpoints/checkpoint.js';
import { fileOf, smallFile } from './safetensors_bytes.js';

let root: string;
let folder: string;
let count = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'heddle-checkpoint-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));
beforeEach(async () => {
  folder = join(root, String(count++));
  await mkdir(folder);
});

const write = (name: string, content: string | Uint8Array) =>
  writeFile(join(folder, name), content);

/** A shard of float32 tensors of one element each. */
function shard(...names: string[]): Uint8Array {
  const entries = names.map((name, i) => [
    name,
    { dtype: 'F32', shape: [1], data_offsets: [4 * i, 4 * i + 4] },
  ]);
  return fileOf(JSON.stringify(Object.fromEntries(entries)), new Uint8Array(4 * names.length));
}

const index = (map: string) =>
  write(
    'model.safetensors.index.json',
    `{"metadata":{"total_size":1.2e1,"x":[{},{"a":[null,true]},[]]},"weight_map":${map}}`,
  );

describe('openCheckpoint', () => {
  it('opens a single file, by its folder and by its path', async () => {
    await write('model.safetensors', smallFile());
    const checkpoint = await openCheckpoint(folder);
    expect(checkpoint.totalBytes).toBe(32);
    expect(checkpoint.files).toEqual([join(folder, 'model.safetensors')]);
    expect(await openCheckpoint(join(folder, 'model.safetensors'))).toEqual(checkpoint);
  });

  it('joins shards', async () => {
    await write('m-1.safetensors', shard('a', 'b'));
    await write('m-2.safetensors', shard('c'));
    await index('{"a":"m-1.safetensors","b":"m-1.safetensors","c":"m-2.safetensors"}');
    const { tensors, files, totalBytes } = await openCheckpoint(folder);
    expect([...tensors.keys()]).toEqual(['a', 'b', 'c']);
    expect(tensors.get('c')?.path).toBe(join(folder, 'm-2.safetensors'));
    expect(files).toEqual(['m-1.safetensors', 'm-2.safetensors'].map((name) => join(folder, name)));
    expect(totalBytes).toBe(12);
  });

  it.each([
    ['a path out of the folder', '{"a":"../m-1.safetensors"}'],
    ['a path into a folder', '{"a":"x/m-1.safetensors"}'],
    ['a path of Windows', '{"a":"..\\\\m-1.safetensors"}'],
    ['an absolute path', '{"a":"/m-1.safetensors"}'],
    ['another kind of file', '{"a":"m-1.bin"}'],
    ['a shard that is no name', '{"a":1}'],
    ['a tensor twice', '{"a":"m-1.safetensors","a":"m-2.safetensors"}'],
    ['a tensor said to be in another shard', '{"a":"m-2.safetensors","c":"m-1.safetensors"}'],
    ['a tensor in no shard', '{"a":"m-1.safetensors","d":"m-1.safetensors"}'],
    ['a map that is none', '[]'],
  ])('refuses an index with %s', async (_what, map) => {
    await write('m-1.safetensors', shard('a', 'b'));
    await write('m-2.safetensors', shard('c'));
    await index(map);
    await expect(openCheckpoint(folder)).rejects.toMatchObject({
      code: 'ERR_FORMAT',
      message: expect.stringContaining('model.safetensors.index.json'),
    });
  });

  it('refuses a tensor that is in two shards', async () => {
    await write('m-1.safetensors', shard('a', 'b'));
    await write('m-2.safetensors', shard('b', 'c'));
    await index('{"a":"m-1.safetensors","b":"m-1.safetensors","c":"m-2.safetensors"}');
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: 'ERR_FORMAT' });
  });

  it('names a shard that is missing', async () => {
    await write('m-1.safetensors', shard('a'));
    await index('{"a":"m-1.safetensors","c":"m-2.safetensors"}');
    await expect(openCheckpoint(folder)).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringContaining('m-2.safetensors'),
    });
  });

  it.each(['{', '{}', '{"weight_map":{}} x', '{"weight_map":{},"weight_map":{}}', '{"x":[}'])(
    'refuses the index %s',
    async (text) => {
      await write('model.safetensors.index.json', text);
      await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: 'ERR_FORMAT' });
    },
  );

  it('survives every truncation of an index', async () => {
    const text = '{"metadata":{"a":[1,{"b":null}]},"weight_map":{"a":"m-1.safetensors"}}';
    await write('m-1.safetensors', shard('a'));
    for (let length = 0; length < text.length; length++) {
      await write('model.safetensors.index.json', text.slice(0, length));
      await expect(openCheckpoint(folder), `${length}`).rejects.toMatchObject({
        code: 'ERR_FORMAT',
      });
    }
    await write('model.safetensors.index.json', text);
    expect((await openCheckpoint(folder)).tensors.size).toBe(1);
  });

  it('says that pickled weights are not enough', async () => {
    await write('pytorch_model.bin', '');
    await expect(openCheckpoint(folder)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('model.safetensors is needed'),
    });
  });

  it('says that there is nothing', async () => {
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    await expect(openCheckpoint(join(folder, 'x'))).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
    });
  });
});
