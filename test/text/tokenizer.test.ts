import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Tokenizer } from '../../lib/text/tokenizer.js';
import { runTokenizers } from '../../scripts/conformance/tokenizers.mjs';

const fixtures = join(import.meta.dirname, '../fixtures/tokenizers');
const names = [
  'albert_unigram',
  'bert_cased',
  'bert_uncased',
  'clip_bpe',
  'gpt2_bpe',
  'llama2_bpe',
  'llama3_bpe',
  'minilm_wordpiece',
  'precompiled_unigram',
  'qwen_bpe',
  'rare_metaspace_first',
  'rare_nmt_unigram',
  'rare_wordlevel',
  'roberta_bpe',
  'smollm2_cut_bpe',
];

describe("ids, types, offsets and texts of Python's tokenizers", () => {
  it.each(names)('%s', async (name) => {
    let cases = 0;
    for await (const result of runTokenizers(Tokenizer.load, fixtures, [name])) {
      expect(result.error, result.name).toBeUndefined();
      cases++;
    }
    expect(cases).toBe(324 + 15 + 6);
  });

  it('are told apart from others', async () => {
    const wrong = async (): Promise<Tokenizer> => Tokenizer.load(join(fixtures, 'bert_cased'));
    const errors: (string | undefined)[] = [];
    for await (const { error } of runTokenizers(wrong, fixtures, ['bert_uncased'])) {
      errors.push(error);
    }
    expect(errors).toContainEqual(expect.stringMatching(/^ids of "A": expected .+, found /));
    expect(errors.filter((error) => error === undefined).length).toBeGreaterThan(0);
  });
});

it("knows the vocabulary's own unknown token from the one that files name", () => {
  const json = {
    model: {
      type: 'Unigram',
      unk_id: 2,
      vocab: [
        ['<unk>', 0],
        ['a', -1],
        ['.', -2],
      ],
    },
  };
  const settings = {
    truncationSide: 'right',
    config: {},
    modelMaxLength: undefined,
    specialTokens: new Map([['unk', '<unk>']]),
  } as unknown as ConstructorParameters<typeof Tokenizer>[2];
  const tokenizer = new Tokenizer(json, 'tokenizer.json', settings);
  expect(tokenizer.encode('az').ids).toEqual([1, 2]);
  expect([tokenizer.unknownId, tokenizer.specialIds.unk]).toEqual([2, 0]);
});
