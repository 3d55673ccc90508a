import type { Vocabulary } from './vocabulary.js';

const encoder = new TextEncoder();

/** How SentencePiece vocabularies write a byte: `<0x0A>`. */
export const byteToken = /^<0x([0-9A-Fa-f]{2})>$/;

/**
 * Writes a text as the tokens of its UTF-8 bytes.
 * @returns undefined for a text with a byte that is no token of the vocabulary.
 */
export function byteIds(vocabulary: Vocabulary): (text: string) => number[] | undefined {
  const ids = Array.from({ length: 256 }, (_, byte) =>
    vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  );
  return (text) => {
    const found = Array.from(encoder.encode(text), (byte) => ids[byte]);
    return found.includes(undefined) ? undefined : (found as number[]);
  };
}
