import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Tokenizer } from '../../lib/text/tokenizer.js';

const fixtures = join(import.meta.dirname, '../fixtures/tokenizers');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heddle-tokenizer-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const write = (name: string, value: unknown) =>
  writeFile(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value));

const vocab = { '[UNK]': 0, a: 1, b: 2, ab: 3, '##b': 4, '[MASK]': 5 };
const wordPiece = {
  model: { type: 'WordPiece', unk_token: '[UNK]', vocab },
  normalizer: { type: 'BertNormalizer' },
  pre_tokenizer: { type: 'BertPreTokenizer' },
};
const bpe = (fields: object) => ({
  model: { type: 'BPE', vocab, merges: [['a', 'b']], ...fields },
});

const unigram = (fields: object) => ({
  model: { type: 'Unigram', vocab: [['a', -1]], ...fields },
});
const normalizer = (part: object) => ({ ...wordPiece, normalizer: part });
const preTokenizer = (part: object) => ({ ...wordPiece, pre_tokenizer: part });
const bertProcessing = { type: 'BertProcessing', cls: ['a', 1], sep: ['b', 2] };

describe('Tokenizer.load', () => {
  it('opens the least that is a tokenizer', async () => {
    await write('tokenizer.json', wordPiece);
    const tokenizer = await Tokenizer.load(folder);
    expect(tokenizer.encode('ab abb x').ids).toEqual([3, 3, 4, 0]);
    expect(tokenizer.vocabSize).toBe(6);
    expect(tokenizer.specialIds).toMatchObject({ unk: 0, mask: undefined });
    await write('tokenizer.json', bpe({ unk_token: '[UNK]' }));
    expect((await Tokenizer.load(folder)).encode('abxa').ids).toEqual([3, 0, 1]);
  });

  it('reads roles from tokenizer_config.json, then special_tokens_map.json', async () => {
    await write('tokenizer.json', wordPiece);
    await write('tokenizer_config.json', {
      mask_token: { content: '[MASK]' },
      model_max_length: 512,
    });
    await write('special_tokens_map.json', { mask_token: 'a', pad_token: 'b' });
    const tokenizer = await Tokenizer.load(folder);
    expect(tokenizer.specialIds).toMatchObject({ mask: 5, pad: 2, unk: 0, cls: undefined });
    expect(tokenizer.settings.modelMaxLength).toBe(512);
    await write('tokenizer_config.json', { model_max_length: 1e30 });
    expect((await Tokenizer.load(folder)).settings.modelMaxLength).toBeUndefined();
    await write('tokenizer_config.json', '{');
    await expect(Tokenizer.load(folder)).rejects.toMatchObject({ code: 'ERR_FORMAT' });
    await rm(join(folder, 'tokenizer_config.json'));
    await rm(join(folder, 'special_tokens_map.json'));
  });

  it('knows the usual roles of a tokenizer.json that stands alone', async () => {
    const tokenizer = await Tokenizer.load(join(fixtures, 'roberta_bpe', 'tokenizer.json'));
    expect(tokenizer.specialIds).toEqual({
      bos: 0,
      cls: 0,
      pad: 1,
      eos: 2,
      sep: 2,
      unk: 3,
      mask: 4,
    });
  });

  it.each<[string, unknown, string]>([
    ['what is no JSON', '{"model":', 'ERR_FORMAT'],
    ['an array', [], 'ERR_FORMAT'],
    ['no model', {}, 'ERR_FORMAT'],
    ['a model without a type', { model: { vocab } }, 'ERR_FORMAT'],
    ['a vocabulary that is a list', { model: { type: 'WordPiece', vocab: [] } }, 'ERR_FORMAT'],
    ['an id of -1', { model: { type: 'WordPiece', vocab: { '[UNK]': -1 } } }, 'ERR_FORMAT'],
    ['an id of 2^22', { model: { type: 'WordPiece', vocab: { '[UNK]': 2 ** 22 } } }, 'ERR_FORMAT'],
    ['no unknown token', { model: { type: 'WordPiece', vocab: { a: 1 } } }, 'ERR_FORMAT'],
    ['a merge of three', bpe({ merges: ['a b c'] }), 'ERR_FORMAT'],
    ['a merge that is a number', bpe({ merges: [1] }), 'ERR_FORMAT'],
    ['a merge into no token', bpe({ merges: ['b a'] }), 'ERR_FORMAT'],
    ['merges that are none', bpe({ merges: null }), 'ERR_FORMAT'],
    ['dropout', bpe({ dropout: 0.1 }), 'ERR_UNSUPPORTED'],
    [
      'an added token of id 2^31 - 1',
      { ...wordPiece, added_tokens: [{ content: 'x', id: 2 ** 31 - 1 }] },
      'ERR_FORMAT',
    ],
    ['added tokens without ids', { ...wordPiece, added_tokens: [{ content: 'x' }] }, 'ERR_FORMAT'],
    ['an unknown model', { model: { type: 'X', vocab: [] } }, 'ERR_UNSUPPORTED'],
    ['a Unigram model without tokens', unigram({ vocab: [] }), 'ERR_FORMAT'],
    ['a Unigram token without a score', unigram({ vocab: [['a']] }), 'ERR_FORMAT'],
    ['an unknown token beyond the vocabulary', unigram({ unk_id: 3 }), 'ERR_FORMAT'],
    ['an unknown normalizer', normalizer({ type: 'X' }), 'ERR_UNSUPPORTED'],
    ['a Sequence that is none', normalizer({ type: 'Sequence', normalizers: {} }), 'ERR_FORMAT'],
    [
      'an unknown normalizer in a Sequence',
      normalizer({ type: 'Sequence', normalizers: [{ type: 'X' }] }),
      'ERR_UNSUPPORTED',
    ],
    [
      'a character map that is none',
      normalizer({ type: 'Precompiled', precompiled_charsmap: 'AAAA' }),
      'ERR_FORMAT',
    ],
    ['a Replace without a pattern', normalizer({ type: 'Replace', content: '' }), 'ERR_FORMAT'],
    [
      'a regular expression that is none',
      normalizer({ type: 'Replace', pattern: { Regex: 'a{2,1}' }, content: '' }),
      'ERR_FORMAT',
    ],
    [
      'a regular expression with a back reference',
      normalizer({ type: 'Replace', pattern: { Regex: '(a)\\1' }, content: '' }),
      'ERR_UNSUPPORTED',
    ],
    [
      'a behavior that is none',
      preTokenizer({ type: 'Split', pattern: { String: 'a' }, behavior: 'X' }),
      'ERR_FORMAT',
    ],
    [
      'a Metaspace of two characters',
      preTokenizer({ type: 'Metaspace', replacement: '__' }),
      'ERR_FORMAT',
    ],
    [
      'a Metaspace with another scheme',
      preTokenizer({ type: 'Metaspace', prepend_scheme: 'X' }),
      'ERR_FORMAT',
    ],
    [
      'ByteLevel before another pre-tokenizer',
      preTokenizer({
        type: 'Sequence',
        pretokenizers: [{ type: 'ByteLevel' }, { type: 'Whitespace' }],
      }),
      'ERR_UNSUPPORTED',
    ],
    ['an unknown pre-tokenizer', { ...wordPiece, pre_tokenizer: { type: 'X' } }, 'ERR_UNSUPPORTED'],
    [
      'an unknown post-processor',
      { ...wordPiece, post_processor: { type: 'X' } },
      'ERR_UNSUPPORTED',
    ],
    ['an unknown decoder', { ...wordPiece, decoder: { type: 'X' } }, 'ERR_UNSUPPORTED'],
    ['a Strip of nothing', { ...wordPiece, decoder: { type: 'Strip', content: '' } }, 'ERR_FORMAT'],
    [
      'two post-processors that add tokens',
      {
        ...wordPiece,
        post_processor: { type: 'Sequence', processors: [bertProcessing, bertProcessing] },
      },
      'ERR_UNSUPPORTED',
    ],
    [
      'a template without ids',
      {
        ...wordPiece,
        post_processor: {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: 'x', type_id: 0 } }],
          pair: [],
        },
      },
      'ERR_FORMAT',
    ],
  ])('refuses %s', async (_what, value, code) => {
    await write('tokenizer.json', value);
    await expect(Tokenizer.load(folder)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(join(folder, 'tokenizer.json')),
    });
  });

  it('says that there is none', async () => {
    await expect(Tokenizer.load(join(folder, 'x'))).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
    });
  });
});

describe('misuse', () => {
  const loading = Tokenizer.load(join(fixtures, 'bert_uncased'));

  it.each([undefined, null, 3, ['a'], {}])('refuses to encode %j', async (text) => {
    const tokenizer = await loading;
    const code = expect.objectContaining({ code: 'ERR_ARGUMENT' });
    expect(() => tokenizer.encode(text as string)).toThrow(code);
    if (text !== undefined)
      expect(() => tokenizer.encode('a', { pair: text as string })).toThrow(code);
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity, '8'])(
    'refuses a maxLength of %j',
    async (maxLength) => {
      const tokenizer = await loading;
      expect(() => tokenizer.encode('a', { maxLength: maxLength as number })).toThrow(
        expect.objectContaining({ code: 'ERR_ARGUMENT' }),
      );
    },
  );

  it.each([-1, 1200, 2 ** 31, Number.NaN, 0.5])('refuses to decode %d', async (id) => {
    const tokenizer = await loading;
    expect(() => tokenizer.decode([5, id])).toThrow(
      expect.objectContaining({ code: 'ERR_INPUT', message: expect.stringContaining('ids[1]') }),
    );
  });

  it('decodes nothing to nothing', async () => {
    expect((await loading).decode([])).toBe('');
  });
});

describe.each([
  'albert_unigram',
  'bert_uncased',
  'clip_bpe',
  'llama2_bpe',
  'llama3_bpe',
  'precompiled_unigram',
  'rare_wordlevel',
  'roberta_bpe',
])('half a megabyte of one character with %s', (name) => {
  it.each(['a', '.', ' ', '本'])('%j', async (character) => {
    const tokenizer = await Tokenizer.load(join(fixtures, name));
    const text = character.repeat(5e5 / Buffer.byteLength(character));
    const whole = tokenizer.encodeCompact(text);
    const cut = tokenizer.encodeCompact(text, { maxLength: 128 });
    expect(cut.ids.length).toBeLessThanOrEqual(128);
    expect(cut.ids.slice(0, -1)).toEqual(whole.ids.slice(0, cut.ids.length - 1));
  });
});

describe.each(['gpt2_bpe', 'llama3_bpe', 'rare_wordlevel'])(
  'twenty megabytes of one letter with %s',
  (name) => {
    it('are more than a regular expression takes', async () => {
      const tokenizer = await Tokenizer.load(join(fixtures, name));
      expect(() => tokenizer.encodeCompact('a'.repeat(2e7))).toThrow(
        expect.objectContaining({ code: 'ERR_INPUT' }),
      );
      expect(tokenizer.encode('a', { addSpecialTokens: false }).ids.length).toBe(1);
    });
  },
);

describe.each(['albert_unigram', 'qwen_bpe', 'precompiled_unigram'])(
  'a megabyte of marks that change places with %s',
  (name) => {
    it('takes no time in proportion to its square', async () => {
      const tokenizer = await Tokenizer.load(join(fixtures, name));
      const { ids } = tokenizer.encodeCompact(`a${'\u0301\u0323'.repeat(250_000)}`);
      expect(ids.length).toBeGreaterThan(0);
    });
  },
);

describe('characters that are newer than the reference', () => {
  // U+061D is punctuation since Unicode 14, U+0897 a mark since Unicode 16, U+1734 no mark since Unicode 14.
  it('are treated as the reference treats them', async () => {
    await write('tokenizer.json', wordPiece);
    const tokenizer = await Tokenizer.load(folder);
    expect(tokenizer.encode('a\u061db').ids).toEqual([0]);
    expect(tokenizer.encode('a,b').ids).toEqual([1, 0, 2]);
    expect(tokenizer.encode('a\u0897b').ids).toEqual([0]);
    expect(tokenizer.encode('a\u1734b').ids).toEqual([3]);
    expect(tokenizer.encode('a\u0301b').ids).toEqual([3]);
  });
});
