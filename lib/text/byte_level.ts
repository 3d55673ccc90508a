/** Byte-level vocabularies: words of UTF-8 bytes, each byte written as one printable character. */
import { type AlignedText, type Word, wordOf } from './aligned_text.js';
import { byteCharactersOf } from './byte_characters.js';
import { translateRegex } from './oniguruma.js';
import type { Pieces } from './vocabulary_model.js';

/** GPT-2's words (Radford et al. 2019, `encoder.py`). */
const gpt2Words = translateRegex(
  String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  'ByteLevel',
);

/** The words of a byte-level pre-tokenizer, still in characters: see `inBytes`. */
export function* byteLevelWords(
  source: AlignedText,
  addPrefixSpace: boolean,
  useRegex: boolean,
): Generator<Word> {
  if (source.text === '') return;
  const added = addPrefixSpace && !source.text.startsWith(' ') ? 1 : 0;
  const text = added === 1 ? ` ${source.text}` : source.text;
  if (!useRegex) {
    yield { text, source, at: 0, prefix: added };
    return;
  }
  // Each character is in some word, so that a word begins where the last one ended.
  for (let start = 0; start < text.length; ) {
    gpt2Words.lastIndex = start;
    gpt2Words.test(text);
    const end = gpt2Words.lastIndex;
    if (added === 0) yield wordOf(source, start, end);
    else {
      const prefix = start === 0 ? 1 : 0;
      yield { text: text.slice(start, end), source, at: start - 1 + prefix, prefix };
    }
    start = end;
  }
}

const plainAscii = /^[\x21-\x7e]*$/;

/** A model of bytes for words of characters: pieces that cut a character stand for all of it. */
export function inBytes(encodeWord: (word: string) => Pieces): (word: string) => Pieces {
  return (word) => {
    if (plainAscii.test(word)) return encodeWord(word);
    let bytes = '';
    const characterStarts: number[] = [];
    const characterEnds: number[] = [];
    let start = 0;
    for (const character of word) {
      const written = byteCharactersOf(character);
      const end = start + character.length;
      bytes += written;
      for (let i = 0; i < written.length; i++) {
        characterStarts.push(start);
        characterEnds.push(end);
      }
      start = end;
    }
    const { ids, starts, ends } = encodeWord(bytes);
    return {
      ids,
      starts: Array.from(starts, (unit) => characterStarts[unit]!),
      ends: Array.from(ends, (unit) => characterEnds[unit - 1]!),
    };
  };
}
