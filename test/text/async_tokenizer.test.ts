import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'tsdown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AsyncTokenizer } from '../../lib/text/async_tokenizer.js';
import { Tokenizer } from '../../lib/text/tokenizer.js';

const root = join(import.meta.dirname, '../..');
let folder: string;
let workerFile: URL;
let tokenizer: Tokenizer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heddle-tokenizer-'));
  await build({
    config: false,
    cwd: root,
    entry: { worker: 'lib/worker/tokenizer.ts' },
    outDir: folder,
    format: 'esm',
    platform: 'node',
    dts: false,
    clean: false,
    logLevel: 'silent',
    noExternal: /./,
  });
  workerFile = pathToFileURL(join(folder, 'worker.mjs'));
  tokenizer = await Tokenizer.load(join(root, 'test/fixtures/tokenizers/bert_uncased'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const short = Array.from(
  { length: 300 },
  (_, i) => `A short text, number ${i}; ${'word '.repeat(i % 17)}`,
);
const long = `${'many different words, '.repeat(400)}end`;

describe('AsyncTokenizer', () => {
  it('gives what the tokenizer gives, in order, for texts, pairs and long texts', async () => {
    using asynchronous = new AsyncTokenizer(tokenizer, workerFile);
    const texts = [
      ...short.slice(0, 5),
      long,
      ['a', 'b c'] as const,
      ['a', long] as const,
      ...short,
      long,
      'ü'.repeat(900),
    ];
    const options = { maxLength: 2000, offsets: true };
    const encodings = await asynchronous.encodeAll(texts, options);
    expect(encodings.length).toBe(texts.length);
    for (const [i, text] of texts.entries()) {
      const [first, pair] = typeof text === 'string' ? [text] : text;
      const expected = tokenizer.encodeCompact(first!, { pair, maxLength: 2000 }, true);
      expect(encodings[i]).toEqual(expected);
    }
    expect((await asynchronous.encodeAll(['a']))[0]).not.toHaveProperty('offsets');
    expect(await asynchronous.encodeAll([])).toEqual([]);
  });

  it('cuts chunks by their number of ids', async () => {
    using asynchronous = new AsyncTokenizer(tokenizer, workerFile);
    let next = 0;
    for await (const { from, encodings } of asynchronous.encodeChunks(short, {
      chunkTokens: 100,
    })) {
      expect(from).toBe(next);
      next += encodings.length;
      const tokens = encodings.map(({ ids }) => ids.length);
      const total = tokens.reduce((sum, count) => sum + count, 0);
      expect(total - tokens.at(-1)!).toBeLessThan(100);
      if (next < short.length) expect(total).toBeGreaterThanOrEqual(100);
    }
    expect(next).toBe(short.length);
  });

  it('lets the event loop run between texts', async () => {
    using asynchronous = new AsyncTokenizer(tokenizer, workerFile);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    // Distinct words, so that none is remembered: some tens of milliseconds in all.
    const texts = Array.from({ length: 3000 }, (_, i) => `w${i}x ${i * 7} q${i}q `.repeat(20));
    await asynchronous.encodeAll(texts);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
  });

  it('stops between texts with the reason of the signal', async () => {
    using asynchronous = new AsyncTokenizer(tokenizer, workerFile);
    const reason = new Error('enough');
    await expect(asynchronous.encodeAll(['a'], {}, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const running = asynchronous.encodeAll([long.repeat(50)], {}, controller.signal);
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
    expect((await asynchronous.encodeAll([long])).length).toBe(1);
  });

  it('refuses what is no text, also in the thread, and goes on afterwards', async () => {
    using asynchronous = new AsyncTokenizer(tokenizer, workerFile);
    const wrong = [undefined, 3, null, [long, 7]] as unknown as string[];
    for (const text of wrong) {
      await expect(asynchronous.encodeAll([text])).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    }
    await expect(asynchronous.encodeAll([long], { maxLength: 1 })).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
    });
    expect((await asynchronous.encodeAll([long])).length).toBe(1);
  });

  it('refuses use after dispose and gives up what is under way', async () => {
    const asynchronous = new AsyncTokenizer(tokenizer, workerFile);
    const running = asynchronous.encodeAll([long.repeat(50)]);
    asynchronous.dispose();
    await expect(running).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
    await expect(asynchronous.encodeAll(['a'])).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
    asynchronous.dispose();
  });

  it('reports a thread that cannot start', async () => {
    using asynchronous = new AsyncTokenizer(tokenizer, pathToFileURL(join(folder, 'absent.mjs')));
    await expect(asynchronous.encodeAll([long])).rejects.toMatchObject({ code: 'ERR_ENGINE' });
    expect((await asynchronous.encodeAll(['a short text'])).length).toBe(1);
  });
});
