/** What the benches of whole models embed: real sentences (texts.json), and batches of texts of one length. */
import { readFileSync } from 'node:fs';

/** 256 sentences of 8 to 128 tokens, and their mean. */
export const { texts: sentences, meanTokens } = JSON.parse(
  readFileSync(new URL('texts.json', import.meta.url), 'utf8'),
);

/** So many texts of exactly so many tokens, special ones included: words of the sentences that are one token each. */
export function textsOfLength(count, tokens, tokenizer) {
  const words = [...new Set(sentences.join(' ').match(/\b[a-z]{3,}\b/g))].filter(
    (word) => tokenizer.encode(word).ids.length === 3,
  );
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return words[Math.floor((state / 2 ** 32) * words.length)];
  };
  return Array.from({ length: count }, () =>
    Array.from({ length: tokens - 2 }, () => next()).join(' '),
  );
}
