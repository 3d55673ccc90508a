import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { DecoderModel } from '../../lib/tasks/decoder_model.js';
import { load } from '../../lib/tasks/load.js';
import { fixture, ids } from '../models/decoders.js';
import { tinyBert } from './tiny_model.js';

const folder = await mkdtemp(join(tmpdir(), 'heddle-cache-'));
afterAll(() => rm(folder, { recursive: true }));

const open = async (name: string): Promise<DecoderModel> =>
  (await load(fixture(name))) as DecoderModel;
const prompt = { inputIds: ids(70) };
const options = { maxNewTokens: 8, eosTokenId: null };

describe('a cache in a file', () => {
  const file = join(folder, 'cache');

  it('lets another process go on where one was', async () => {
    using model = await open('llama/1');
    expect(await model.saveCache(prompt, file)).toEqual({ tokens: 70 });
    expect(model.engine.pages.inUse).toBe(0);
    using fresh = await open('llama/1');
    const alone = await fresh.generate(prompt, options);
    using other = await open('llama/1');
    // What a prompt alike need not read.
    expect(other.engine.reuse(other.engine.begin(), prompt.inputIds)).toBe(0);
    expect(await other.loadCache(file)).toEqual({ tokens: 70 });
    expect(other.engine.pages.inUse).toBe(0);
    const sequence = other.engine.begin();
    expect(other.engine.reuse(sequence, prompt.inputIds)).toBe(64);
    other.engine.free(sequence);
    expect(await other.generate(prompt, options)).toEqual(alone);
  });

  it('is of one model', async () => {
    using other = await open('gemma2/1');
    await expect(other.loadCache(file)).rejects.toMatchObject({ code: 'ERR_INPUT' });
    using encoder = await load(tinyBert);
    await expect(encoder.loadCache(file)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    await expect(encoder.saveCache('a', file)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });

  it('is refused where it is not whole, or is something else', async () => {
    using model = await open('llama/1');
    const bytes = await readFile(file);
    const broken = join(folder, 'broken');
    for (const length of [0, 7, 100, bytes.length - 1]) {
      await writeFile(broken, bytes.subarray(0, length));
      await expect(model.loadCache(broken)).rejects.toMatchObject({ code: 'ERR_FORMAT' });
    }
    await copyFile(join(fixture('llama/1'), 'model.safetensors'), broken);
    await expect(model.loadCache(broken)).rejects.toMatchObject({ code: 'ERR_FORMAT' });
    await expect(model.loadCache(join(folder, 'absent'))).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
    });
    await expect(model.saveCache(prompt, join(folder, 'absent', 'cache'))).rejects.toMatchObject({
      code: 'ERR_FILE',
    });
    await writeFile(broken, Buffer.from(bytes.toString('latin1').replace('"[', '"x'), 'latin1'));
    await expect(model.loadCache(broken)).rejects.toMatchObject({ code: 'ERR_FORMAT' });
  });
});
