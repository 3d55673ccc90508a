/** Pre-tokenizers: cut a normalised text into words, which the vocabulary then cuts into tokens. */
import { HeddleError } from '../errors.js';
import {
  type AlignedText,
  alignedWord,
  startOf,
  unitsAt,
  type Word,
  wordOf,
} from './aligned_text.js';
import { byteLevelWords } from './byte_level.js';
import {
  type Behavior,
  cut,
  literalPattern,
  partsOf,
  readBehavior,
  readPattern,
} from './pattern.js';
import { flag, type JsonObject, objectsOf, own, textOr, typeOf } from './tokenizer_json.js';
import {
  type CharacterSet,
  numeral,
  punctuationMark,
  punctuationMarks,
  spaces,
  words,
} from './unicode.js';

export interface PreTokenizer {
  /** Never empty words; a generator, so that a caller who has tokens enough can stop. */
  readonly split: (text: AlignedText) => Iterable<Word>;
  /** Whether the model is to see the bytes of the words. */
  readonly bytes: boolean;
}

/** @throws ERR_UNSUPPORTED for a type that is not here; ERR_FORMAT for a malformed one. */
export function createPreTokenizer(config: JsonObject | null, where: string): PreTokenizer {
  if (config === null)
    return inCharacters((source) => nonEmpty(wordOf(source, 0, source.text.length)));
  const type = typeOf(config, where);
  switch (type) {
    case 'Sequence':
      return sequence(
        objectsOf(config, 'pretokenizers', where).map((step, i) =>
          createPreTokenizer(step, `${where}: pretokenizers[${i}]`),
        ),
        where,
      );
    case 'BertPreTokenizer':
      return inCharacters((source) => setWords(source, spaces, punctuationMarks));
    case 'ByteLevel': {
      const addPrefixSpace = flag(config, 'add_prefix_space', true);
      const useRegex = flag(config, 'use_regex', true);
      return { split: (source) => byteLevelWords(source, addPrefixSpace, useRegex), bytes: true };
    }
    case 'Whitespace':
      return splitter(words, 'Removed', true);
    case 'WhitespaceSplit':
      return inCharacters((source) => setWords(source, spaces, null));
    case 'Metaspace':
      return metaspace(config, where);
    case 'Split':
      return splitter(
        readPattern(own(config, 'pattern'), where),
        readBehavior(config, 'Isolated', where),
        flag(config, 'invert', false),
      );
    case 'CharDelimiterSplit':
      return splitter(literalPattern(textOr(config, 'delimiter', '', where)), 'Removed', false);
    case 'Punctuation':
      return splitter(punctuationMark, readBehavior(config, 'Isolated', where), false);
    case 'Digits': {
      const each = flag(config, 'individual_digits', false);
      return splitter(numeral, each ? 'Isolated' : 'Contiguous', false);
    }
    default:
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `${where}: the pre-tokenizer '${type}' is not supported`,
        { found: type, where },
      );
  }
}

function inCharacters(split: PreTokenizer['split']): PreTokenizer {
  return { split, bytes: false };
}

function nonEmpty(word: Word): Word[] {
  return word.text === '' ? [] : [word];
}

/** @throws ERR_UNSUPPORTED where words of bytes would be cut again. */
function sequence(steps: readonly PreTokenizer[], where: string): PreTokenizer {
  if (steps.slice(0, -1).some(({ bytes }) => bytes)) {
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      `${where}: a pre-tokenizer behind ByteLevel is not supported`,
      { found: 'ByteLevel before the end of a Sequence', where },
    );
  }
  const split = steps.reduce<PreTokenizer['split'] | undefined>((before, { split: next }) => {
    if (before === undefined) return next;
    return function* (source) {
      for (const word of before(source)) yield* next(alignedWord(word));
    };
  }, undefined);
  const whole: PreTokenizer['split'] = (source) => nonEmpty(wordOf(source, 0, source.text.length));
  return { split: split ?? whole, bytes: steps.at(-1)?.bytes ?? false };
}

function splitter(pattern: RegExp, behavior: Behavior, invert: boolean): PreTokenizer {
  return inCharacters(function* (source) {
    for (const { start, end } of cut(partsOf(source.text, pattern, invert), behavior)) {
      if (end > start) yield wordOf(source, start, end);
    }
  });
}

/** Runs of characters of neither set; those of `separate` are words of their own, those of `removed` none. */
function* setWords(
  source: AlignedText,
  removed: CharacterSet,
  separate: CharacterSet | null,
): Generator<Word> {
  const { text } = source;
  let start = 0;
  for (let at = 0; at < text.length; ) {
    const codePoint = text.codePointAt(at)!;
    const end = at + (codePoint > 0xffff ? 2 : 1);
    const isSeparate = separate?.has(codePoint) ?? false;
    if (isSeparate || removed.has(codePoint)) {
      if (at > start) yield wordOf(source, start, at);
      if (isSeparate) yield wordOf(source, at, end);
      start = end;
    }
    at = end;
  }
  if (text.length > start) yield wordOf(source, start, text.length);
}

/** SentencePiece's words: spaces become visible, and each begins a word; one is put in front, always or at the very start. */
function metaspace(config: JsonObject, where: string): PreTokenizer {
  const mark = textOr(config, 'replacement', '▁', where);
  if (mark === '' || mark.length !== unitsAt(mark, 0)) {
    throw new HeddleError(
      'ERR_FORMAT',
      `${where}: replacement: expected one character, found '${mark}'`,
      { where, found: mark },
    );
  }
  // Before prepend_scheme there was add_prefix_space.
  const scheme = textOr(
    config,
    'prepend_scheme',
    flag(config, 'add_prefix_space', true) ? 'always' : 'never',
    where,
  );
  if (!['always', 'first', 'never'].includes(scheme)) {
    throw new HeddleError(
      'ERR_FORMAT',
      `${where}: prepend_scheme: expected always, first or never, found '${scheme}'`,
      { where, found: scheme },
    );
  }
  const splits = flag(config, 'split', true);
  if (mark.length !== 1) {
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      `${where}: a replacement outside the Basic Multilingual Plane is not supported`,
      { where, found: mark },
    );
  }
  return inCharacters((given) => {
    if (given.text === '') return [];
    const text = given.text.replaceAll(' ', mark);
    const source = text === given.text ? given : { ...given, text };
    const wanted = scheme === 'always' || (scheme === 'first' && startOf(given, 0) === 0);
    const prefix = wanted && !text.startsWith(mark) ? mark : '';
    const next = splits ? text.indexOf(mark, 1) : -1;
    const end = next === -1 ? text.length : next;
    const first: Word = { text: prefix + text.slice(0, end), source, at: 0, prefix: prefix.length };
    return next === -1 ? [first] : markedWords(first, mark);
  });
}

/** A first word, and behind it one from each mark to the next. */
function* markedWords(first: Word, mark: string): Generator<Word> {
  yield first;
  const { source } = first;
  const { text } = source;
  for (let start = first.text.length - first.prefix; start < text.length; ) {
    const next = text.indexOf(mark, start + 1);
    const end = next === -1 ? text.length : next;
    yield wordOf(source, start, end);
    start = end;
  }
}
