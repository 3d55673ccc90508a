import { expect, it } from 'vitest';
import { load } from '../../lib/tasks/load.js';
import { fixture } from '../models/decoders.js';
import { letterTokenizer, sentenceTransformers, tinyFolder } from './tiny_model.js';
import '../native.js';

/** A tiny decoder with a tokenizer of no more tokens than it has. */
async function decoderFolder(files: Record<string, object | string | null> = {}): Promise<string> {
  const json = (await letterTokenizer()) as { model: { vocab: Record<string, number> } };
  const vocab = Object.entries(json.model.vocab).filter(([, id]) => id < 67);
  json.model.vocab = Object.fromEntries(vocab);
  const tokenizer = { 'tokenizer.json': json };
  return tinyFolder({
    from: fixture('qwen3/1'),
    tokenizer: false,
    files: { ...files, ...tokenizer },
  });
}

it('embeds texts by the last token of a language model', async () => {
  const folder = await decoderFolder(
    sentenceTransformers({
      word_embedding_dimension: 22,
      pooling_mode_mean_tokens: false,
      pooling_mode_lasttoken: true,
    }) as Record<string, object>,
  );
  using model = await load(folder);
  expect(model.kind).toBe('decoder');
  const texts = ['a short text', 'ab'];
  const vectors = await model.embed(texts);
  for (const [i, text] of texts.entries()) {
    const { ids } = model.tokenizer?.encode(text) ?? { ids: [] };
    const outputs = ['lastHiddenState'];
    const { lastHiddenState } = await model.forward({ inputIds: [Array.from(ids)] }, { outputs });
    const [, length, width] = lastHiddenState.shape;
    const last = lastHiddenState.data.subarray((length - 1) * width);
    const norm = Math.hypot(...last);
    vectors[i].forEach((value, at) => {
      expect(Math.abs(value - last[at] / norm)).toBeLessThan(1e-5);
    });
  }
});

it('continues a text', async () => {
  using model = await load(await decoderFolder());
  const [{ ids, text }] = await model.generate('ab', { maxNewTokens: 4, eosTokenId: null });
  expect(text).toBe(model.tokenizer?.decode(ids, { skipSpecialTokens: true }));
  const inputIds = Array.from(model.tokenizer?.encode('ab').ids ?? []);
  const [again] = await model.generate({ inputIds }, { maxNewTokens: 4, eosTokenId: null });
  expect(again.ids).toEqual(ids);
});
