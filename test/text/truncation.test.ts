import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Tokenizer } from '../../lib/text/tokenizer.js';
import { readTokenizerFiles } from '../../lib/text/tokenizer_files.js';

const fixtures = join(import.meta.dirname, '../fixtures/tokenizers');

interface Case {
  name: string;
  text: string;
  pair: string | null;
  special: boolean;
  side: 'left' | 'right';
  length: number;
  ids: number[];
  types: number[];
  overflowed: boolean;
}

const cases: Case[] = JSON.parse(readFileSync(join(fixtures, 'truncation.json'), 'utf8'));

describe.each(['bert_uncased', 'roberta_bpe'])('truncation with %s', (name) => {
  it.each(['left', 'right'] as const)('cuts on the %s as the reference does', async (side) => {
    const { json, path, settings } = await readTokenizerFiles(join(fixtures, name));
    const tokenizer = new Tokenizer(json, path, { ...settings, truncationSide: side });
    const chosen = cases.filter((golden) => golden.name === name && golden.side === side);
    expect(chosen.length).toBeGreaterThan(100);
    for (const { text, pair, special, length, ids, types, overflowed } of chosen) {
      const encoding = tokenizer.encode(text, {
        pair: pair ?? undefined,
        addSpecialTokens: special,
        maxLength: length,
      });
      const label = JSON.stringify({ text, pair, special, length });
      expect(encoding.ids, label).toEqual(ids);
      expect(encoding.typeIds, label).toEqual(types);
      expect(encoding.overflowed, label).toBe(overflowed);
      expect(encoding.offsets.length, label).toBe(ids.length);
    }
  });

  it('refuses a length without room for the special tokens', async () => {
    const tokenizer = await Tokenizer.load(join(fixtures, name));
    const count = tokenizer.specialTokenCount(true);
    expect(tokenizer.encode('a', { pair: 'b', maxLength: count }).ids.length).toBe(count);
    expect(() => tokenizer.encode('a', { pair: 'b', maxLength: count - 1 })).toThrow(
      expect.objectContaining({ code: 'ERR_ARGUMENT' }),
    );
  });
});

describe('a folder of a tokenizer', () => {
  it('names the file in errors of its path', async () => {
    const { path } = await readTokenizerFiles(join(fixtures, 'bert_cased'));
    expect(dirname(path)).toBe(join(fixtures, 'bert_cased'));
  });
});
