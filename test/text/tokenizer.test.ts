import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Tokenizer } from '../../lib/text/tokenizer.js';

const fixtures = join(import.meta.dirname, '../fixtures/tokenizers');
const read = (...path: string[]) => JSON.parse(readFileSync(join(fixtures, ...path), 'utf8'));

interface Case {
  ids: number[];
  raw: number[];
  off: [number, number][];
  dec: string;
  dec_skip: string;
  types: number[];
}
const texts: { texts: string[]; pairs: [string, string][]; lone_surrogates: number[][] } =
  read('texts.json');

/** The reference counts code points. */
function inCodePoints(text: string, offsets: [number, number][]): [number, number][] {
  const points = new Int32Array(text.length + 1);
  let count = 0;
  let unit = 0;
  for (const character of text) {
    for (let i = 0; i < character.length; i++) points[unit++] = count;
    count++;
  }
  points[unit] = count;
  return offsets.map(([start, end]) => [points[start]!, points[end]!]);
}

describe.each(['minilm_wordpiece', 'bert_uncased', 'bert_cased', 'roberta_bpe'])('%s', (name) => {
  const expected: { cases: Case[]; pairs: Case[]; lone: Case[] } = read(name, 'expected.json');
  const loading = Tokenizer.load(join(fixtures, name));

  it('gives the ids, offsets and texts of the reference', async () => {
    const tokenizer = await loading;
    expect(expected.cases.length).toBe(texts.texts.length);
    for (const [i, golden] of expected.cases.entries()) {
      const text = texts.texts[i]!;
      const label = JSON.stringify(text);
      const raw = tokenizer.encode(text, { addSpecialTokens: false });
      expect(raw.ids, label).toEqual(golden.raw);
      expect(inCodePoints(text, raw.offsets), label).toEqual(golden.off);
      const { ids } = tokenizer.encode(text);
      expect(ids, label).toEqual(golden.ids);
      expect(tokenizer.decode(raw.ids), label).toBe(golden.dec);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true }), label).toBe(golden.dec_skip);
    }
  });

  it('gives the ids and types of pairs', async () => {
    const tokenizer = await loading;
    expect(expected.pairs.length).toBeGreaterThan(0);
    for (const [i, golden] of expected.pairs.entries()) {
      const [text, pair] = texts.pairs[i]!;
      const encoding = tokenizer.encode(text, { pair });
      const label = JSON.stringify([text, pair]);
      expect(encoding.ids, label).toEqual(golden.ids);
      expect(encoding.typeIds, label).toEqual(golden.types);
      expect(tokenizer.decode(encoding.ids), label).toBe(golden.dec);
      expect(tokenizer.decode(encoding.ids, { skipSpecialTokens: true }), label).toBe(
        golden.dec_skip,
      );
    }
  });

  it('reads lone surrogates as U+FFFD', async () => {
    const tokenizer = await loading;
    expect(expected.lone.length).toBeGreaterThan(0);
    for (const [i, golden] of expected.lone.entries()) {
      const text = String.fromCodePoint(...texts.lone_surrogates[i]!);
      const raw = tokenizer.encode(text, { addSpecialTokens: false });
      expect(raw.ids, `text ${i}`).toEqual(golden.raw);
      expect(inCodePoints(text, raw.offsets), `text ${i}`).toEqual(golden.off);
      expect(tokenizer.encode(text).ids, `text ${i}`).toEqual(golden.ids);
    }
  });
});
