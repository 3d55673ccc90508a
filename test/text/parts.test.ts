import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { endInWord, sliceOfGiven, startInWord } from '../../lib/text/aligned_text.js';
import { createDecoder } from '../../lib/text/decoder.js';
import { createNormalizer } from '../../lib/text/normalizer.js';
import { createPreTokenizer } from '../../lib/text/pre_tokenizer.js';
import { Tokenizer } from '../../lib/text/tokenizer.js';
import type { JsonObject } from '../../lib/text/tokenizer_json.js';

const file = join(import.meta.dirname, '../fixtures/tokenizers/parts.json');
type Offset = [start: number, end: number];
interface Part<T> {
  config: JsonObject;
  results: T[];
}
const parts: {
  texts: string[];
  tokens: string[][];
  normalizers: Part<[text: string, alignment: Offset[]]>[];
  pre_tokenizers: Part<[word: string, offset: Offset][]>[];
  decoders: Part<string | null>[];
} = JSON.parse(readFileSync(file, 'utf8'));

const label = ({ config }: Part<unknown>): string => JSON.stringify(config);
const given = (text: string) => sliceOfGiven(text, 0, text.length);

/** The reference counts code points. */
const points = (text: string, unit: number): number => [...text.slice(0, unit)].length;

describe('normalizers', () => {
  it.each(parts.normalizers.map((part) => [label(part), part] as const))('%s', (_, part) => {
    const normalize = createNormalizer(part.config, 'normalizer');
    const model = { type: 'BPE', vocab: { '?': 0 }, merges: [], unk_token: '?' };
    const settings = {
      specialTokens: new Map(),
      modelMaxLength: undefined,
      truncationSide: 'right',
      config: {},
    } as const;
    const tokenizer = new Tokenizer({ model, normalizer: part.config }, 'tokenizer', settings);
    for (const [i, [expected, alignment]] of part.results.entries()) {
      const text = parts.texts[i]!;
      expect(normalize(given(text)).text, JSON.stringify(text)).toBe(expected);
      const { offsets } = tokenizer.encode(text);
      const inPoints = offsets.map((offset) => offset.map((unit) => points(text, unit)));
      expect(inPoints, JSON.stringify(text)).toEqual(alignment);
    }
  });
});

describe('pre-tokenizers', () => {
  it.each(parts.pre_tokenizers.map((part) => [label(part), part] as const))('%s', (_, part) => {
    const { split } = createPreTokenizer(part.config, 'pre_tokenizer');
    for (const [i, expected] of part.results.entries()) {
      const text = parts.texts[i]!;
      const words = Array.from(split(given(text)), (word) => [
        word.text,
        [startInWord(word, 0), endInWord(word, word.text.length)].map((unit) => points(text, unit)),
      ]);
      expect(words, JSON.stringify(text)).toEqual(expected);
    }
  });
});

describe('decoders', () => {
  it.each(parts.decoders.map((part) => [label(part), part] as const))('%s', (_, part) => {
    const decode = createDecoder(part.config, 'decoder');
    for (const [i, expected] of part.results.entries()) {
      const text = decode(parts.tokens[i]!);
      // Where the reference panics, there is a text all the same.
      if (expected !== null) expect(text, JSON.stringify(parts.tokens[i])).toBe(expected);
    }
  });
});
