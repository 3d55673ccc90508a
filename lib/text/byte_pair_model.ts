import { HeddleError, mismatch } from '../errors.js';
import { byteIds } from './byte_fallback.js';
import { BytePairs } from './byte_pairs.js';
import { describe, flag, type JsonObject, own, textOr } from './tokenizer_json.js';
import { readVocabulary, root, type Vocabulary } from './vocabulary.js';
import { type Pieces, type VocabularyModel, wholeWord } from './vocabulary_model.js';

/**
 * Byte-pair encoding (Sennrich et al. 2016) over the characters of a word. A character that is no token
 * is written as its bytes, where the vocabulary falls back to them, or is unknown; without an unknown
 * token it vanishes.
 */
export function bytePairModel(config: JsonObject, where: string): VocabularyModel {
  const vocabulary = readVocabulary(own(config, 'vocab'), where);
  if (own(config, 'dropout')) {
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      `${where}: BPE with dropout, which makes ids random, is not supported; set it to null`,
      { found: `dropout = ${describe(config.dropout)}`, where },
    );
  }
  const unknownToken = textOr(config, 'unk_token', '', where);
  const unknownId = unknownToken === '' ? undefined : vocabulary.get(unknownToken);
  const fuseUnknown = flag(config, 'fuse_unk', false);
  const ignoreMerges = flag(config, 'ignore_merges', false);
  const prefix = textOr(config, 'continuing_subword_prefix', '', where);
  const suffix = textOr(config, 'end_of_word_suffix', '', where);
  const idsOfBytes = flag(config, 'byte_fallback', false) ? byteIds(vocabulary) : undefined;
  const merges = readMerges(own(config, 'merges'), vocabulary, prefix, where);

  /** Ids of the characters. */
  function symbolsOf(word: string): { ids: number[]; starts: number[]; ends: number[] } {
    const ids: number[] = [];
    const starts: number[] = [];
    const ends: number[] = [];
    const vanished: Span[] = [];
    let lastIsUnknown = false;
    let start = 0;
    for (const character of word) {
      const end = start + character.length;
      const text = (start > 0 ? prefix : '') + character + (end === word.length ? suffix : '');
      const id = vocabulary.get(text);
      const bytes = id === undefined ? idsOfBytes?.(text) : undefined;
      const isUnknown = id === undefined && bytes === undefined;
      if (isUnknown && unknownId === undefined) {
        vanished.push({ start, end });
      } else if (isUnknown && lastIsUnknown && fuseUnknown) {
        ends[ends.length - 1] = end;
      } else {
        for (const symbol of bytes ?? [id ?? unknownId!]) {
          ids.push(symbol);
          starts.push(start);
          ends.push(end);
        }
        lastIsUnknown = isUnknown;
      }
      start = end;
    }
    if (vanished.length > 0) closeUp(word, vanished, starts, ends);
    return { ids, starts, ends };
  }

  function encodeWord(word: string): Pieces {
    const whole = ignoreMerges ? vocabulary.get(word) : undefined;
    if (whole !== undefined) return wholeWord(word, whole);
    const { ids, starts, ends } = symbolsOf(word);
    const count = merges.merge(ids, starts, ends);
    ids.length = count;
    starts.length = count;
    ends.length = count;
    return { ids, starts, ends };
  }
  return {
    vocabulary,
    unknownToken: unknownId === undefined ? undefined : unknownToken,
    encodeWord,
  };
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * The reference counts only the UTF-8 bytes of characters that are left: behind one that vanished, what
 * follows moves up by its bytes, to the end of the word. So do its offsets, and ours with them.
 */
function closeUp(word: string, vanished: Span[], starts: number[], ends: number[]): void {
  const unitOfByte: number[] = [];
  const byteOfUnit: number[] = [];
  for (let unit = 0; unit < word.length; ) {
    const character = String.fromCodePoint(word.codePointAt(unit)!);
    byteOfUnit[unit] = unitOfByte.length;
    for (let i = Buffer.byteLength(character); i > 0; i--) unitOfByte.push(unit);
    unit += character.length;
  }
  byteOfUnit[word.length] = unitOfByte.length;
  const lost = vanished.map(({ start, end }) => byteOfUnit[end]! - byteOfUnit[start]!);
  let passed = 0;
  let shift = 0;
  for (let i = 0; i < starts.length; i++) {
    while (passed < vanished.length && vanished[passed]!.start < starts[i]!) {
      shift += lost[passed++]!;
    }
    const last = unitOfByte[byteOfUnit[ends[i]!]! - shift - 1]!;
    starts[i] = unitOfByte[byteOfUnit[starts[i]!]! - shift]!;
    ends[i] = last + (word.codePointAt(last)! > 0xffff ? 2 : 1);
  }
}

/** Merges as pairs, or as strings with one space between the halves; both halves and the whole are tokens. */
function readMerges(
  merges: unknown,
  vocabulary: Vocabulary,
  prefix: string,
  where: string,
): BytePairs {
  if (!Array.isArray(merges)) {
    throw mismatch('ERR_FORMAT', `${where}: merges`, 'a list of pairs', describe(merges));
  }
  // Where a walk ends: at the root, too, where it finds nothing.
  const idOf = (text: string, node: number): number =>
    text !== '' && node === root ? -1 : vocabulary.idAt(node);
  const lefts = new Int32Array(merges.length);
  const rights = new Int32Array(merges.length);
  const wholes = new Int32Array(merges.length);
  for (let i = 0; i < merges.length; i++) {
    const merge: unknown = merges[i];
    const pair: unknown = typeof merge === 'string' ? merge.split(' ') : merge;
    const isPair = Array.isArray(pair) && pair.length === 2;
    const left: unknown = isPair ? pair[0] : undefined;
    const right: unknown = isPair ? pair[1] : undefined;
    if (typeof left === 'string' && typeof right === 'string') {
      const node = vocabulary.walk(left);
      const rest = vocabulary.walk(right, node, prefix.length);
      const l = idOf(left, node);
      const r = idOf(right, vocabulary.walk(right));
      const whole = idOf(left || right.slice(prefix.length), rest);
      if (l >= 0 && r >= 0 && whole >= 0) {
        lefts[i] = l;
        rights[i] = r;
        wholes[i] = whole;
        continue;
      }
    }
    const expected = 'two tokens that make a third';
    throw mismatch('ERR_FORMAT', `${where}: merges[${i}]`, expected, JSON.stringify(merge));
  }
  return new BytePairs(lefts, rights, wholes);
}
