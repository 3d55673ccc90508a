import { specialFlags } from './tokenizer_classes.js';
import type { JsonObject } from './tokenizer_json.js';

/** A tokenizer.json of our own making, which adds nothing to a text. @param special tokens, which have the first ids. */
export function newTokenizer(
  special: readonly string[],
  parts: {
    normalizer: JsonObject | null;
    preTokenizer: JsonObject;
    decoder: JsonObject | null;
    model: JsonObject;
  },
): JsonObject {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({ id, content, ...specialFlags })),
    normalizer: parts.normalizer,
    pre_tokenizer: parts.preTokenizer,
    post_processor: null,
    decoder: parts.decoder,
    model: parts.model,
  };
}
