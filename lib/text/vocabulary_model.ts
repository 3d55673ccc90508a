/** Models of a tokenizer: cut one word into the entries of a vocabulary. */
import { HeddleError, mismatch } from '../errors.js';
import { BytePairs, idLimit } from './byte_pairs.js';
import { describe, flag, isId, isObject, type JsonObject, own, typeOf } from './tokenizer_json.js';

/** The ids of a word, and for each id the end (UTF-16 unit of the word) of what it stands for. */
export interface Pieces {
  readonly ids: readonly number[];
  readonly ends: readonly number[];
}

export interface VocabularyModel {
  /** Token to id, without the added tokens. */
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unknownToken: string | undefined;
  encodeWord(word: string): Pieces;
}

/** @throws ERR_UNSUPPORTED for a type or option that is not here yet; ERR_FORMAT for a malformed model. */
export function createVocabularyModel(config: JsonObject, where: string): VocabularyModel {
  const type = typeOf(config, where);
  switch (type) {
    case 'WordPiece':
      return remembering(wordPiece(config, where));
    case 'BPE':
      return remembering(bytePairs(config, where));
    default:
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `${where}: the model '${type}' is not supported (WordPiece and BPE are)`,
        { found: type, where },
      );
  }
}

/**
 * Longest match first, from left to right (Schuster and Nakajima 2012; Devlin et al. 2018,
 * `WordpieceTokenizer`); a word with a part that is not in the vocabulary is unknown as a whole.
 *
 * Written here because the package joins each candidate anew from an array of characters, for every
 * length the rest of the word has: milliseconds for one word of a hundred letters, too long for an
 * event loop. Bounded by the longest token instead, with a slice for a candidate.
 */
function wordPiece(config: JsonObject, where: string): VocabularyModel {
  const vocabulary = readVocabulary(config, where);
  const unknownToken = text(config, 'unk_token', '[UNK]', where);
  const unknownId = vocabulary.get(unknownToken);
  if (unknownId === undefined) {
    throw mismatch('ERR_FORMAT', `${where}: unk_token`, 'a token of the vocabulary', unknownToken);
  }
  const prefix = text(config, 'continuing_subword_prefix', '##', where);
  const maxCharacters = integer(config, 'max_input_chars_per_word', 100, where);
  let longest = 1;
  for (const token of vocabulary.keys()) longest = Math.max(longest, token.length);

  function encodeWord(word: string): Pieces {
    const unknown = { ids: [unknownId!], ends: [word.length] };
    // A character has one unit or two.
    if (word.length > maxCharacters && [...word].length > maxCharacters) return unknown;
    const ids: number[] = [];
    const ends: number[] = [];
    let start = 0;
    while (start < word.length) {
      let end = Math.min(word.length, start + longest);
      let id: number | undefined;
      for (; end > start; end--) {
        const candidate = word.slice(start, end);
        id = vocabulary.get(start === 0 ? candidate : prefix + candidate);
        if (id !== undefined) break;
      }
      if (id === undefined) return unknown;
      ids.push(id);
      ends.push(end);
      start = end;
    }
    return { ids, ends };
  }
  return { vocabulary, unknownToken, encodeWord };
}

/** Byte-pair encoding; what is not in the vocabulary is unknown character by character. */
function bytePairs(config: JsonObject, where: string): VocabularyModel {
  const vocabulary = readVocabulary(config, where);
  for (const option of [
    'dropout',
    'continuing_subword_prefix',
    'end_of_word_suffix',
    'byte_fallback',
  ]) {
    if (own(config, option)) {
      throw new HeddleError('ERR_UNSUPPORTED', `${where}: BPE with ${option} is not supported`, {
        found: `${option} = ${describe(config[option])}`,
        where,
      });
    }
  }
  const unknownToken = own(config, 'unk_token');
  if (unknownToken !== undefined && unknownToken !== null && typeof unknownToken !== 'string') {
    throw mismatch('ERR_FORMAT', `${where}: unk_token`, 'a string or null', describe(unknownToken));
  }
  const unknownId = unknownToken ? vocabulary.get(unknownToken) : undefined;
  const fuseUnknown = flag(config, 'fuse_unk', false);
  const ignoreMerges = flag(config, 'ignore_merges', false);
  const merges = new BytePairs(readMerges(config, vocabulary, where));

  function encodeWord(word: string): Pieces {
    const whole = ignoreMerges ? vocabulary.get(word) : undefined;
    if (whole !== undefined) return { ids: [whole], ends: [word.length] };
    const symbols = new Int32Array(word.length);
    const ends = new Int32Array(word.length);
    let count = 0;
    let end = 0;
    for (const character of word) {
      end += character.length;
      const id = vocabulary.get(character);
      // Without an unknown token, unknown characters vanish.
      if (id === undefined && unknownId === undefined) continue;
      if (id === undefined && fuseUnknown && count > 0 && symbols[count - 1] === -1) count--;
      symbols[count] = id ?? -1;
      ends[count++] = end;
    }
    count = merges.merge(symbols.subarray(0, count), ends.subarray(0, count));
    const ids = Array.from(symbols.subarray(0, count), (id) => (id === -1 ? unknownId! : id));
    return { ids, ends: Array.from(ends.subarray(0, count)) };
  }
  return { vocabulary, unknownToken: unknownToken || undefined, encodeWord };
}

const rememberedWords = 20_000;
const longestRemembered = 64;

/** Words repeat: the pieces of the last ones are kept. */
function remembering(model: VocabularyModel): VocabularyModel {
  const words = new Map<string, Pieces>();
  return {
    ...model,
    encodeWord(word) {
      const known = words.get(word);
      if (known !== undefined) return known;
      const pieces = model.encodeWord(word);
      if (word.length <= longestRemembered) {
        if (words.size === rememberedWords) words.clear();
        words.set(word, pieces);
      }
      return pieces;
    },
  };
}

function readVocabulary(config: JsonObject, where: string): Map<string, number> {
  const vocab = own(config, 'vocab');
  if (!isObject(vocab)) {
    throw mismatch('ERR_FORMAT', `${where}: vocab`, 'an object of tokens to ids', describe(vocab));
  }
  const vocabulary = new Map<string, number>();
  for (const [token, id] of Object.entries(vocab)) {
    if (!isId(id)) {
      throw mismatch(
        'ERR_FORMAT',
        `${where}: the id of '${token}'`,
        'an integer of at least 0',
        describe(id),
      );
    }
    vocabulary.set(token, id);
  }
  return vocabulary;
}

/** Merges as pairs, or as strings with one space between the halves; both halves and the whole are tokens. */
function readMerges(
  config: JsonObject,
  vocabulary: ReadonlyMap<string, number>,
  where: string,
): [number, number, number][] {
  const merges = own(config, 'merges');
  if (!Array.isArray(merges)) {
    throw mismatch('ERR_FORMAT', `${where}: merges`, 'a list of pairs', describe(merges));
  }
  return merges.map((merge: unknown, index) => {
    const pair: unknown = typeof merge === 'string' ? merge.split(' ') : merge;
    const [left, right]: unknown[] = Array.isArray(pair) && pair.length === 2 ? pair : [];
    const ids = [left, right, `${left}${right}`].map((token) => vocabulary.get(token as string));
    if (ids.some((id) => id === undefined || id >= idLimit)) {
      throw mismatch(
        'ERR_FORMAT',
        `${where}: merges[${index}]`,
        'two tokens that make a third',
        JSON.stringify(merge),
      );
    }
    return ids as [number, number, number];
  });
}

function text(config: JsonObject, key: string, otherwise: string, where: string): string {
  const value = own(config, key) ?? otherwise;
  if (typeof value !== 'string') {
    throw mismatch('ERR_FORMAT', `${where}: ${key}`, 'a string', describe(value));
  }
  return value;
}

function integer(config: JsonObject, key: string, otherwise: number, where: string): number {
  const value = own(config, key) ?? otherwise;
  if (!isId(value)) {
    throw mismatch('ERR_FORMAT', `${where}: ${key}`, 'an integer of at least 0', describe(value));
  }
  return value;
}
