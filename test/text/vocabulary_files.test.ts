import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Tokenizer } from '../../lib/text/tokenizer.js';
import { readTokenizerFiles } from '../../lib/text/tokenizer_files.js';
import { runTokenizers } from '../../scripts/conformance/tokenizers.mjs';

const fixtures = join(import.meta.dirname, '../fixtures/vocabularies');
const names = [
  'albert',
  'albert_accents',
  'bert',
  'camembert',
  'deberta_v2_bpe',
  'deberta_v3',
  'distilbert',
  'electra',
  'gpt2',
  'mpnet',
  'qwen2',
  'roberta',
  'roberta_prefix',
  'xlm_roberta',
];

describe.each(names)('%s without a tokenizer.json', (name) => {
  const folder = join(fixtures, name);
  const expected = async () => JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8'));

  it('gives the tokenizer.json that Python makes', async () => {
    const {
      vocab: _,
      merges: __,
      ...model
    } = (await readTokenizerFiles(folder)).json.model as Record<string, unknown>;
    const { json } = await readTokenizerFiles(folder);
    expect({ ...json, model }).toEqual((await expected()).json);
  });

  it('gives the ids, types, offsets and texts of Python', async () => {
    let cases = 0;
    for await (const result of runTokenizers(Tokenizer.load, fixtures, [name])) {
      expect(result.error, result.name).toBeUndefined();
      cases++;
    }
    expect(cases).toBeGreaterThan(80);
    const { roles, size } = await expected();
    const { specialIds, vocabSize } = await Tokenizer.load(folder);
    const ids = Object.fromEntries(Object.entries(specialIds).map(([k, v]) => [k, v ?? null]));
    expect([ids, vocabSize]).toEqual([roles, size]);
  });
});
