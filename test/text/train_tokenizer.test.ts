import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { trainTokenizerOnFiles } from '../../lib/tasks/train_tokenizer.js';
import { Tokenizer } from '../../lib/text/tokenizer.js';
import type { TrainTokenizerOptions } from '../../lib/text/tokenizer_training_options.js';
import { type TrainedTokenizer, trainTokenizer } from '../../lib/text/train_tokenizer.js';
import { fixture, temporaryFolder } from '../tasks/tiny_model.js';

interface Golden {
  merges: [string, string][];
  texts: string[];
  kinds: Record<string, { tokens: string[]; ids: number[][]; decoded: string[] }>;
}

/** What Python's tokenizers says; see scripts/fixtures/trained_tokenizers.py. */
const golden = JSON.parse(readFileSync(fixture('trained/expected.json'), 'utf8')) as Golden;
const file = fixture('trained/text.txt');

const kinds: [string, TrainTokenizerOptions][] = [
  ['bytes', { vocabSize: 700 }],
  ['fallback', { vocabSize: 800, byteFallback: true, normalization: 'NFKC' }],
  ['unigram', { vocabSize: 800, type: 'unigram' }],
];

describe.each(kinds)('trainTokenizer, %s', (kind, options) => {
  let trained: TrainedTokenizer;
  const { tokens, ids, decoded } = golden.kinds[kind] as Golden['kinds'][string];

  beforeAll(async () => {
    trained = await trainTokenizerOnFiles([file], options);
  });

  it('learns the same from the same texts', () => {
    const { tokenizer } = trained;
    const learned = Array.from({ length: tokenizer.idBound }, (_, id) => tokenizer.idToToken(id));
    expect(learned).toEqual(tokens);
    expect(learned).toHaveLength(options.vocabSize ?? 0);
  });

  it("gives Python's ids and texts once it was written", async () => {
    const folder = await temporaryFolder();
    await trained.save(folder);
    const tokenizer = await Tokenizer.load(folder);
    for (const [i, text] of golden.texts.entries()) {
      const encoded = Array.from(tokenizer.encode(text).ids);
      expect(encoded, JSON.stringify(text)).toEqual(ids[i]);
      expect(Array.from(trained.tokenizer.encode(text).ids)).toEqual(ids[i]);
      expect(tokenizer.decode(encoded)).toBe(decoded[i]);
    }
    expect(tokenizer.specialIds.eos).toBeDefined();
  });
});

describe('trainTokenizer', () => {
  it("learns the merges of Python's trainer", async () => {
    const { json } = await trainTokenizerOnFiles([file], { vocabSize: 700 });
    expect((json.model as { merges: unknown }).merges).toEqual(golden.merges);
  });

  it('gives back every text whose words are bytes', async () => {
    const { tokenizer } = await trainTokenizer(['a few words, a few words'], { vocabSize: 300 });
    for (const text of golden.texts) {
      expect(tokenizer.decode(tokenizer.encode(text).ids)).toBe(text);
    }
  });

  it('takes words of any length, and texts in parts as they come', async () => {
    async function* texts(): AsyncGenerator<string> {
      yield 'x'.repeat(200_000);
      yield '日本'.repeat(50_000);
      yield 'lone \ud800 surrogate';
    }
    for (const type of ['bpe', 'unigram'] as const) {
      const { tokenizer } = await trainTokenizer(texts(), { type, vocabSize: 500 });
      const ids = tokenizer.encode('日本 xxxx').ids;
      expect(ids.length).toBeLessThan(8);
      expect(tokenizer.decode(ids)).toBe('日本 xxxx');
    }
  });

  it('reports how far it is, and ends when it is told to', async () => {
    const stages = new Set<string>();
    const controller = new AbortController();
    const reason = new Error('enough');
    const training = trainTokenizerOnFiles([file], {
      type: 'unigram',
      signal: controller.signal,
      onProgress: ({ stage, done, total }) => {
        stages.add(stage);
        if (total !== undefined) expect(done).toBeLessThanOrEqual(total);
        if (stage === 'learn') controller.abort(reason);
      },
    });
    await expect(training).rejects.toBe(reason);
    expect(stages).toContain('learn');
  });

  it('names the line of a file that is not UTF-8', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'text.txt');
    const good = await readFile(file);
    const lines = good.toString('utf8').split('\n').length - 1;
    const cases: [Buffer, number][] = [
      [Buffer.from('ok\nstill \u00e9\nbad \xff\n', 'latin1'), 2],
      [Buffer.concat([good, Buffer.from([0xc3])]), lines + 1],
      [Buffer.concat([good, Buffer.from('cut \xe6\x97\nnext', 'latin1')]), lines + 1],
      [
        Buffer.concat([...Array.from({ length: 12 }, () => good), Buffer.from([0x80, 0x0a])]),
        12 * lines + 1,
      ],
    ];
    for (const [bytes, line] of cases) {
      await writeFile(path, bytes);
      await expect(trainTokenizerOnFiles([path], { vocabSize: 300 })).rejects.toMatchObject({
        code: 'ERR_FORMAT',
        where: `${path}: line ${line}`,
      });
    }
    await expect(trainTokenizerOnFiles([join(folder, 'none.txt')])).rejects.toMatchObject({
      code: 'ERR_FILE',
    });
    await expect(trainTokenizerOnFiles([folder])).rejects.toMatchObject({ code: 'ERR_FILE' });
  });

  const wrong: [TrainTokenizerOptions, string][] = [
    [{ type: 'wordpiece' as never }, 'type'],
    [{ vocabSize: 0 }, 'vocabSize'],
    [{ vocabSize: 2 ** 21 }, 'vocabSize'],
    [{ type: 'unigram', byteFallback: false }, 'byteFallback'],
    [{ specialTokens: ['<s>', '<s>'] }, 'specialTokens'],
    [{ byteFallback: true, specialTokens: [] }, 'specialTokens'],
    [{ normalization: 'nfc' as never }, 'normalization'],
    [{ minFrequency: 0 }, 'minFrequency'],
    [{ characterCoverage: 2 }, 'characterCoverage'],
    [{ vocab: 2 } as never, 'only the options'],
  ];
  it.each(wrong)('refuses %j', async (options, message) => {
    const training = trainTokenizer(['text'], options);
    await expect(training).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    await expect(training).rejects.toThrow(message);
  });

  it('refuses texts without words, and vocabularies without room', async () => {
    await expect(trainTokenizer([''])).rejects.toMatchObject({ code: 'ERR_INPUT' });
    const small = trainTokenizer(['text'], { vocabSize: 256 });
    await expect(small).rejects.toMatchObject({ code: 'ERR_INPUT', expected: /at least 257/ });
  });
});
