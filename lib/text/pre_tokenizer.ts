/** Pre-tokenizers: cut a normalised text into words, which the vocabulary then cuts into tokens. */
import { HeddleError } from '../errors.js';
import { type AlignedText, endOf, mapCharacters, startOf, type Word } from './aligned_text.js';
import { byteCharactersOf } from './byte_characters.js';
import { flag, type JsonObject, typeOf } from './tokenizer_json.js';
import { bertWords } from './unicode.js';

/** A generator, so that a caller who has tokens enough can stop. */
export type PreTokenizer = (text: AlignedText) => Iterable<Word>;

/** @throws ERR_UNSUPPORTED for a type that is not here yet. */
export function createPreTokenizer(config: JsonObject | null, where: string): PreTokenizer {
  if (config === null) {
    return (source) => (source.text === '' ? [] : [{ text: source.text, source, at: 0 }]);
  }
  const type = typeOf(config, where);
  switch (type) {
    case 'BertPreTokenizer':
      return bertPreTokenizer;
    case 'ByteLevel':
      return byteLevelPreTokenizer(
        flag(config, 'add_prefix_space', true),
        flag(config, 'use_regex', true),
      );
    default:
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `${where}: the pre-tokenizer '${type}' is not supported (BertPreTokenizer and ByteLevel are)`,
        { found: type, where },
      );
  }
}

/** Words without space, each punctuation mark by itself. */
function* bertPreTokenizer(source: AlignedText): Generator<Word> {
  for (const match of source.text.matchAll(bertWords)) {
    yield { text: match[0], source, at: match.index };
  }
}

/**
 * GPT-2's words (Radford et al. 2019, `encoder.py`). White_Space in place of `\s`, which in JavaScript
 * has U+FEFF in it and not U+0085.
 */
const gpt2Words =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** GPT-2's words, in which each byte of UTF-8 has become one printable character. */
function byteLevelPreTokenizer(addPrefixSpace: boolean, useRegex: boolean): PreTokenizer {
  return function* (given) {
    if (given.text === '') return;
    const source = addPrefixSpace && !given.text.startsWith(' ') ? withPrefixSpace(given) : given;
    const bytes = mapCharacters(source, byteCharactersOf);
    if (!useRegex) {
      yield { text: bytes.text, source: bytes, at: 0 };
      return;
    }
    let at = 0;
    for (const match of source.text.matchAll(gpt2Words)) {
      let length = 0;
      for (const character of match[0]) length += byteCharactersOf(character).length;
      yield { text: bytes.text.slice(at, at + length), source: bytes, at };
      at += length;
    }
  };
}

/** The space counts as part of the first character: its offsets are that character's. */
function withPrefixSpace(source: AlignedText): AlignedText {
  const first = String.fromCodePoint(source.text.codePointAt(0)!);
  const starts = [startOf(source, 0)];
  const ends = [endOf(source, first.length)];
  for (let unit = 0; unit < source.text.length; unit++) {
    starts.push(startOf(source, unit));
    ends.push(endOf(source, unit + 1));
  }
  return { text: ` ${source.text}`, origin: 0, starts, ends };
}
