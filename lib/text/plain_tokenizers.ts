/** Tokenizers that need no training: every character, or every word between spaces, is a token. */
import { newTokenizer } from './new_tokenizer.js';
import type { JsonObject } from './tokenizer_json.js';

/** In the order of their ids. */
const specialTokens = ['<pad>', '<unk>', '</s>', '<mask>'] as const;

/** tokenizer_config.json of either. */
export const plainTokenizerConfig: JsonObject = {
  tokenizer_class: 'PreTrainedTokenizerFast',
  pad_token: '<pad>',
  unk_token: '<unk>',
  eos_token: '</s>',
  mask_token: '<mask>',
  clean_up_tokenization_spaces: false,
};

/** A tokenizer.json whose tokens are the characters (code points) of texts, and the text is what tokens say one after the other. */
export function characterTokenizer(texts: Iterable<string>): JsonObject {
  return tokenizer(
    distinct(texts, (text) => text),
    { type: 'Split', pattern: { Regex: '[\\s\\S]' }, behavior: 'Isolated', invert: false },
    { type: 'Fuse' },
  );
}

/** A tokenizer.json whose tokens are the words of texts, between white space. */
export function wordTokenizer(texts: Iterable<string>): JsonObject {
  const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');
  return tokenizer(distinct(texts, words), { type: 'WhitespaceSplit' }, null);
}

/** Sorted, so that the same texts give the same ids in whatever order. */
function distinct(texts: Iterable<string>, partsOf: (text: string) => Iterable<string>): string[] {
  const parts = new Set<string>();
  for (const text of texts) for (const part of partsOf(text)) parts.add(part);
  for (const token of specialTokens) parts.delete(token);
  return [...parts].sort();
}

function tokenizer(
  tokens: readonly string[],
  preTokenizer: JsonObject,
  decoder: JsonObject | null,
): JsonObject {
  const vocab = Object.fromEntries([...specialTokens, ...tokens].map((token, id) => [token, id]));
  return newTokenizer(specialTokens, {
    normalizer: null,
    preTokenizer,
    decoder,
    model: { type: 'WordLevel', vocab, unk_token: '<unk>' },
  });
}
