import { expect, it } from 'vitest';
import { inspect, load, pipeline } from '../../lib/index.js';
import { letterTokenizer, temporaryFolder, tinyFolder } from './tiny_model.js';

it('opens a model with a vocab.txt instead of a tokenizer.json', async () => {
  const { model } = (await letterTokenizer()) as { model: { vocab: Record<string, number> } };
  const vocabulary: string[] = [];
  for (const [token, id] of Object.entries(model.vocab)) vocabulary[id] = `${token}\n`;
  const newer = await tinyFolder();
  const older = await tinyFolder({ tokenizer: false, files: { 'vocab.txt': vocabulary.join('') } });
  // The last one is long enough to be tokenised in a thread of its own, which loads the folder again.
  const texts = ['Heddle, 7!', 'a', 'unseen 字', 'many words, '.repeat(300)];
  using expected = await load(newer);
  using found = await load(older);
  expect(await found.embed(texts)).toEqual(await expected.embed(texts));
  expect(await inspect(older)).toMatchObject({ supported: true });
  const extract = await pipeline('feature-extraction', older);
  expect((await extract('Heddle', { pooling: 'mean' })).dims).toEqual([1, 32]);
  await extract.dispose();
});

it('names the class that it cannot convert', async () => {
  const folder = await tinyFolder({
    tokenizer: false,
    files: {
      'vocab.txt': 'a\n',
      'tokenizer_config.json': { tokenizer_class: 'BertJapaneseTokenizer' },
    },
  });
  await expect(load(folder)).rejects.toMatchObject({
    code: 'ERR_UNSUPPORTED',
    message: expect.stringMatching(/BertJapaneseTokenizer.*save_pretrained/),
  });
  await expect(load(await temporaryFolder())).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
});
