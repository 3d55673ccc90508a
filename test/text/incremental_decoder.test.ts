import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createStages } from '../../lib/text/decode_stages.js';
import { createDecoder } from '../../lib/text/decoder.js';
import { IncrementalDecoder } from '../../lib/text/incremental_decoder.js';
import { Tokenizer } from '../../lib/text/tokenizer.js';

const fixtures = join(import.meta.dirname, '../fixtures/tokenizers');
const names = [
  'albert_unigram',
  'bert_cased',
  'clip_bpe',
  'gpt2_bpe',
  'llama2_bpe',
  'llama3_bpe',
  'precompiled_unigram',
  'qwen_bpe',
  'rare_metaspace_first',
  'rare_wordlevel',
  'smollm2_cut_bpe',
];

function piecesOf(decoder: IncrementalDecoder, ids: readonly number[]): string[] {
  return [...ids.map((id) => decoder.push(id)), decoder.finish()];
}

describe('pieces of ids that come one by one', () => {
  it.each(names)('%s: are together the text of all ids, for any ids', async (name) => {
    const tokenizer = await Tokenizer.load(join(fixtures, name));
    const known = Array.from({ length: tokenizer.idBound }, (_, id) => id).filter(
      (id) => tokenizer.idToToken(id) !== undefined,
    );
    const anyId = fc.nat({ max: known.length - 1 }).map((index) => known[index]!);
    const text = fc.string({ unit: 'grapheme', maxLength: 40 });
    const idsOfText = text.map((each) => tokenizer.encode(each).ids);
    const ids = fc.oneof(fc.array(anyId, { maxLength: 30 }), idsOfText);
    fc.assert(
      fc.property(ids, fc.boolean(), (given, skipSpecialTokens) => {
        const whole = tokenizer.decode(given, { skipSpecialTokens });
        const pieces = piecesOf(tokenizer.decodeIncrementally({ skipSpecialTokens }), given);
        expect(pieces.join('')).toBe(whole);
        for (const piece of pieces) expect(piece.isWellFormed()).toBe(true);
        const broken = (value: string) => value.split('\ufffd').length - 1;
        expect(pieces.reduce((sum, piece) => sum + broken(piece), 0)).toBe(broken(whole));
      }),
      { numRuns: 150 },
    );
  });

  it.each(['gpt2_bpe', 'llama2_bpe'])(
    '%s: give a character of several tokens whole',
    async (name) => {
      const tokenizer = await Tokenizer.load(join(fixtures, name));
      const { ids } = tokenizer.encode('a 𓀀🧿 b', { addSpecialTokens: false });
      expect(ids.length).toBeGreaterThan(7);
      const pieces = piecesOf(tokenizer.decodeIncrementally(), ids);
      expect(pieces.filter((piece) => piece !== '').length).toBeGreaterThan(2);
      for (const piece of pieces) expect(piece).not.toContain('\ufffd');
      expect(pieces.join('')).toBe('a 𓀀🧿 b');
    },
  );

  it('name the id that is no token', async () => {
    const tokenizer = await Tokenizer.load(join(fixtures, 'gpt2_bpe'));
    const decoder = tokenizer.decodeIncrementally();
    decoder.push(5);
    expect(() => decoder.push(10 ** 6)).toThrow("decode: ids[1]: expected a token's id");
  });
});

describe('decoders piece by piece', () => {
  const steps = [
    { type: 'ByteLevel' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
    { type: 'WordPiece', prefix: '##', cleanup: true },
    { type: 'Metaspace', replacement: '_', prepend_scheme: 'always' },
    { type: 'BPEDecoder', suffix: '</w>' },
    { type: 'CTC', pad_token: '_', word_delimiter_token: '|' },
    { type: 'Strip', content: ' ', start: 1, stop: 0 },
    { type: 'Strip', content: '_', start: 2, stop: 1 },
    { type: 'Replace', pattern: { String: '_' }, content: ' ' },
    { type: 'Replace', pattern: { Regex: 'a+' }, content: 'b' },
  ];
  const tokens = [
    ' ',
    '  a',
    'aa',
    '_',
    '__b',
    'c</w>',
    '##d',
    '|',
    'Ġ',
    'Ã',
    '©',
    'é',
    '',
    '<0xE2>',
    '<0x82>',
    '<0xAC>',
    '<0x0A>',
    '\ufffd',
  ];

  it('give what they give at once, in any sequence', () => {
    const sequence = fc.array(fc.constantFrom(...steps), { maxLength: 4 });
    const pieces = fc.array(fc.constantFrom(...tokens), { maxLength: 12 });
    fc.assert(
      fc.property(sequence, pieces, (decoders, given) => {
        const config = { type: 'Sequence', decoders };
        const stages = createStages(config, 'decoder')();
        const found = piecesOf(
          new IncrementalDecoder((id) => given[id]!, stages),
          given.map((_, index) => index),
        );
        expect(found.join('')).toBe(createDecoder(config, 'decoder')(given.slice()));
      }),
      { numRuns: 3000 },
    );
  });

  it('give what no decoder gives: tokens with spaces between', () => {
    const decoder = new IncrementalDecoder((id) => tokens[id]!, createStages(null, '')());
    expect(piecesOf(decoder, [2, 3, 2])).toEqual(['aa', ' _', ' aa', '']);
  });
});
