import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HeddleError } from '../../lib/errors.js';
import { Tokenizer } from '../../lib/text/tokenizer.js';

const fixtures = join(import.meta.dirname, '../fixtures/vocabularies');
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'heddle-vocabularies-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A folder with just these files; objects as JSON. */
async function folderWith(files: Record<string, string | Uint8Array | object>): Promise<string> {
  const folder = await mkdtemp(join(root, 'folder-'));
  for (const [name, value] of Object.entries(files)) {
    const isJson = typeof value !== 'string' && !(value instanceof Uint8Array);
    await writeFile(join(folder, name), isJson ? JSON.stringify(value) : value);
  }
  return folder;
}

const config = (model_type: string) => ({ 'config.json': { model_type } });
const words = '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##b\n';
const ids = { '<s>': 0, '<pad>': 1, '</s>': 2, '<unk>': 3, '<mask>': 4, a: 5, b: 6, ab: 7 };

// The wire format of Protocol Buffers, with numbers below 128 alone.
const bytesField = (field: number, value: string | number[]): number[] => {
  const bytes = [...Buffer.from(value as string)];
  const key = field < 16 ? [8 * field + 2] : [((8 * field + 2) & 127) | 128, field >> 4];
  return [...key, bytes.length, ...bytes];
};
const piece = (text: string | number[], type: number, more: number[] = []): number[] =>
  bytesField(1, [...bytesField(1, text), 0x15, 0, 0, 0x80, 0xbf, 0x18, type, ...more]);
const unknown = piece('<unk>', 2);
const spm = (...parts: number[][]) => ({ 'spiece.model': Uint8Array.from(parts.flat()) });

describe('a folder without a tokenizer.json', () => {
  it('has no tokenizer without an older vocabulary', async () => {
    await expect(Tokenizer.load(await folderWith(config('bert')))).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringMatching(/tokenizer\.json, vocab\.txt, .*spm\.model/),
    });
  });

  it('counts the last one of a token that is there twice', async () => {
    const files = { 'vocab.txt': `${words}a\n`, ...config('bert') };
    const tokenizer = await Tokenizer.load(await folderWith(files));
    expect(tokenizer.encode('a', { addSpecialTokens: false }).ids).toEqual([8]);
  });

  it('takes the class of tokenizer_config.json, then of config.json, then the usual one', async () => {
    const load = async (own: object, model: object) => {
      const files = { 'vocab.txt': words, 'tokenizer_config.json': own, 'config.json': model };
      return Tokenizer.load(await folderWith(files));
    };
    const bert = { model_type: 'bert' };
    const mpnet = { tokenizer_class: 'MPNetTokenizer' };
    const fast = { tokenizer_class: 'ElectraTokenizerFast' };
    expect((await load({}, bert)).specialIds.cls).toBe(2);
    expect((await load(fast, { ...bert, ...mpnet })).specialIds.cls).toBe(2);
    // MPNet's own special tokens are not in this vocabulary: they are added at its end.
    expect((await load(mpnet, bert)).specialIds.cls).toBe(8);
    expect((await load({}, { ...bert, ...mpnet })).specialIds.cls).toBe(8);
  });

  it.each<[string, Record<string, string | Uint8Array | object>, string, RegExp]>([
    [
      'a class that is not there',
      { 'vocab.txt': words, 'tokenizer_config.json': { tokenizer_class: 'BertJapaneseTokenizer' } },
      'ERR_UNSUPPORTED',
      /found BertJapaneseTokenizer; .*save_pretrained/,
    ],
    [
      'no class at all',
      { 'vocab.txt': words },
      'ERR_UNSUPPORTED',
      /found none, and model_type nothing/,
    ],
    [
      'files of another class',
      { 'vocab.txt': words, ...config('roberta') },
      'ERR_FORMAT',
      /expected vocab\.json and merges\.txt for its RobertaTokenizer, found vocab\.txt/,
    ],
    [
      'broken UTF-8',
      { 'vocab.txt': Buffer.concat([Buffer.from(words), Buffer.of(0xc3, 10)]), ...config('bert') },
      'ERR_FORMAT',
      /vocab\.txt: line 9: expected UTF-8/,
    ],
    [
      'no unknown token',
      { 'vocab.txt': 'a\nb\n', ...config('bert') },
      'ERR_FORMAT',
      /vocab\.txt: expected the unknown token '\[UNK\]'/,
    ],
    [
      'a vocabulary that is no JSON',
      { 'vocab.json': '{', 'merges.txt': '', ...config('roberta') },
      'ERR_FORMAT',
      /vocab\.json: not JSON/,
    ],
    [
      'ids that are no numbers',
      { 'vocab.json': { a: 'b' }, 'merges.txt': '', ...config('roberta') },
      'ERR_FORMAT',
      /vocab\.json: the id of 'a'/,
    ],
    [
      'a merge with one word',
      { 'vocab.json': ids, 'merges.txt': '#version: 0.2\na b\na\n', ...config('roberta') },
      'ERR_FORMAT',
      /merges\.txt: line 3: .*found 'a'$/,
    ],
    [
      'a merge that makes no token',
      { 'vocab.json': ids, 'merges.txt': '#version: 0.2\nb a\n', ...config('roberta') },
      'ERR_FORMAT',
      /merges\.txt: line 2: /,
    ],
    [
      'special tokens that are none',
      { 'vocab.txt': words, 'tokenizer_config.json': { mask_token: 7 }, ...config('bert') },
      'ERR_FORMAT',
      /tokenizer_config\.json: mask_token/,
    ],
    [
      'added tokens without ids',
      { 'vocab.txt': words, 'added_tokens.json': { x: -1 }, ...config('bert') },
      'ERR_FORMAT',
      /added_tokens\.json: 'x'/,
    ],
    [
      'added tokens with other keys than ids',
      {
        'vocab.txt': words,
        'tokenizer_config.json': { added_tokens_decoder: { x: {} } },
        ...config('bert'),
      },
      'ERR_FORMAT',
      /added_tokens_decoder: expected ids .*'x'/,
    ],
    [
      'a length past the end',
      { ...spm(unknown, [0x0a, 100, 1]), ...config('albert') },
      'ERR_FORMAT',
      /spiece\.model: byte 18: expected 100 bytes/,
    ],
    [
      'an absurd length',
      { ...spm([0x0a, ...Array(9).fill(255), 1]), ...config('albert') },
      'ERR_FORMAT',
      /spiece\.model: byte 11: expected \d+ bytes/,
    ],
    [
      'an endless number',
      { ...spm([0x0a, ...Array(12).fill(255)]), ...config('albert') },
      'ERR_FORMAT',
      /byte 1: expected a number of at most 10/,
    ],
    [
      'a key that is none',
      { ...spm([0x0b]), ...config('albert') },
      'ERR_FORMAT',
      /byte 0: expected the key/,
    ],
    [
      'a piece of another kind',
      { ...spm([0x08, 1]), ...config('albert') },
      'ERR_FORMAT',
      /expected field 1 as bytes, found varint/,
    ],
    [
      'a piece twice',
      { ...spm(unknown, piece('a', 1), piece('a', 1)), ...config('albert') },
      'ERR_FORMAT',
      /'a' once more/,
    ],
    [
      'a piece of nothing',
      { ...spm(unknown, piece('', 1)), ...config('albert') },
      'ERR_FORMAT',
      /a piece of 1 to/,
    ],
    [
      'a piece in broken UTF-8',
      { ...spm(unknown, piece([0xc3], 1)), ...config('albert') },
      'ERR_FORMAT',
      /byte 20: expected UTF-8/,
    ],
    [
      'a piece of no type',
      { ...spm(unknown, piece('a', 9)), ...config('albert') },
      'ERR_FORMAT',
      /a type from 1 to 6, found 9/,
    ],
    [
      'a score that is none',
      { ...spm(unknown, piece('a', 1, [0x15, 0, 0, 0x80, 0x7f])), ...config('albert') },
      'ERR_FORMAT',
      /a finite score, found Infinity/,
    ],
    [
      'no unknown piece',
      { ...spm(piece('a', 1)), ...config('albert') },
      'ERR_FORMAT',
      /one piece for what is unknown/,
    ],
    [
      'an unknown id beyond the pieces',
      { ...spm(unknown, bytesField(2, [0xc0, 2, 5])), ...config('albert') },
      'ERR_FORMAT',
      /unk_id below 1, found 5/,
    ],
    [
      'a model of words',
      { ...spm(unknown, bytesField(2, [0x18, 3])), ...config('albert') },
      'ERR_UNSUPPORTED',
      /models of words or characters/,
    ],
    [
      'an empty model',
      { 'spiece.model': '', ...config('albert') },
      'ERR_FORMAT',
      /spiece\.model: byte 0/,
    ],
  ])('with %s is refused', async (_, files, code, message) => {
    const folder = await folderWith(files);
    await expect(Tokenizer.load(folder)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('reads lines as Python does', async () => {
    // Carriage returns end lines, empty ones count, and behind GPT-2's last line feed nothing does.
    const spaced = words.replace('a\n', '\r\na\r');
    const bert = await Tokenizer.load(await folderWith({ 'vocab.txt': spaced, ...config('bert') }));
    expect(bert.encode('ab').ids).toEqual([2, 6, 8, 3]);
    const pairs = { 'vocab.json': ids, ...config('roberta') };
    const merging = { ...pairs, 'merges.txt': 'a header\r\na b\r\na b\r\n' };
    expect((await Tokenizer.load(await folderWith(merging))).encode('ab').ids).toEqual([0, 7, 2]);
    const cut = { ...pairs, 'merges.txt': 'a header\na b' };
    expect((await Tokenizer.load(await folderWith(cut))).encode('ab').ids).toEqual([0, 5, 6, 2]);
  });
});

/** Numbers from 0 to 1 (Marsaglia 2003, xorshift). */
function randomSource(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** A copy with a few bytes changed, cut out, put in twice, or lost at the end. */
function mutated(bytes: Buffer, random: () => number): Buffer {
  let result = Buffer.from(bytes);
  const place = () => Math.floor(random() * result.length);
  for (let changes = 1 + Math.floor(random() * 3); changes > 0; changes--) {
    const [start, end] = [place(), place()].sort((a, b) => a - b);
    const kind = random();
    if (kind < 0.6) result[start!] = Math.floor(random() * 256);
    else if (kind < 0.75) result = result.subarray(0, Math.max(1, end!));
    else if (kind < 0.9) result = Buffer.concat([result.subarray(0, start), result.subarray(end)]);
    else result = Buffer.concat([result.subarray(0, end), result.subarray(start)]);
    if (result.length === 0) return bytes;
  }
  return result;
}

describe('damaged files', () => {
  it.each([
    ['albert', 'spiece.model'],
    ['deberta_v2_bpe', 'spm.model'],
    ['bert', 'vocab.txt'],
    ['roberta', 'vocab.json'],
    ['roberta', 'merges.txt'],
    ['electra', 'special_tokens_map.json'],
    ['qwen2', 'tokenizer_config.json'],
  ])('of %s: %s opens or is refused', async (name, file) => {
    const folder = join(root, `${name}-${file}`);
    await cp(join(fixtures, name), folder, { recursive: true });
    const whole = await readFile(join(folder, file));
    const random = randomSource(whole.length);
    let refused = 0;
    for (let i = 0; i < 40; i++) {
      await writeFile(join(folder, file), mutated(whole, random));
      try {
        (await Tokenizer.load(folder)).encode('Hello, [MASK] wörld 7, １２３ ﷽');
      } catch (error) {
        expect(error).toBeInstanceOf(HeddleError);
        expect(['ERR_FORMAT', 'ERR_UNSUPPORTED']).toContain((error as HeddleError).code);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(0);
  });
});
