/** Normalizers: the first step of a tokenizer, from the text given to the text its vocabulary knows. */
import { HeddleError } from '../errors.js';
import {
  type AlignedText,
  endOf,
  mapCharacters,
  Rewriter,
  startOf,
  unitsAt,
} from './aligned_text.js';
import { bertNormalizer } from './bert_normalizer.js';
import { byteCharactersOf } from './byte_characters.js';
import { partsOf, readPattern } from './pattern.js';
import { precompiledNormalizer } from './precompiled_normalizer.js';
import { flag, type JsonObject, objectsOf, own, textOr, typeOf } from './tokenizer_json.js';
import { combiningMark, nmtRemoved, nmtSpace } from './unicode.js';
import { unicodeNormalizer } from './unicode_normalizer.js';

export type Normalizer = (text: AlignedText) => AlignedText;

/** @throws ERR_UNSUPPORTED for a type that is not here, rather than ids that are nearly right; ERR_FORMAT. */
export function createNormalizer(config: JsonObject | null, where: string): Normalizer {
  if (config === null) return (text) => text;
  const type = typeOf(config, where);
  switch (type) {
    case 'Sequence': {
      const steps = objectsOf(config, 'normalizers', where).map((step, i) =>
        createNormalizer(step, `${where}: normalizers[${i}]`),
      );
      return (text) => steps.reduce((result, step) => step(result), text);
    }
    case 'BertNormalizer':
      return bertNormalizer(config);
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return unicodeNormalizer(type);
    case 'Lowercase':
      return lowercase;
    case 'StripAccents':
      return (text) => mapCharacters(text, (c) => (combiningMark.has(c.codePointAt(0)!) ? '' : c));
    case 'Strip':
      return strip(flag(config, 'strip_left', true), flag(config, 'strip_right', true));
    case 'Replace':
      return replace(
        readPattern(own(config, 'pattern'), where),
        textOr(config, 'content', '', where),
      );
    case 'Prepend':
      return prepend(textOr(config, 'prepend', '', where));
    case 'Precompiled':
      return precompiledNormalizer(textOr(config, 'precompiled_charsmap', '', where), where);
    case 'Nmt':
      return (text) => mapCharacters(text, nmtCharacter);
    case 'ByteLevel':
      return (text) => mapCharacters(text, byteCharactersOf);
    default:
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `${where}: the normalizer '${type}' is not supported`,
        { found: type, where },
      );
  }
}

/** Character by character, without the rule for final sigma, as Rust's `char::to_lowercase`. */
function lowercase(source: AlignedText): AlignedText {
  // Of all characters, 'İ' alone has a lower case of another length.
  if (!/[Σİ]/.test(source.text)) return { ...source, text: source.text.toLowerCase() };
  return mapCharacters(source, (character) => character.toLowerCase());
}

/** SentencePiece's rules for machine translation: control characters go, separators become spaces. */
function nmtCharacter(character: string): string {
  const codePoint = character.codePointAt(0)!;
  if (nmtRemoved.has(codePoint)) return '';
  return nmtSpace.has(codePoint) ? ' ' : character;
}

const spaceAtStart = /^\p{White_Space}+/u;
const spaceAtEnd = /(?<!\p{White_Space})\p{White_Space}+$/u;

function strip(left: boolean, right: boolean): Normalizer {
  return (source) => {
    const { text } = source;
    const start = left ? (spaceAtStart.exec(text)?.[0].length ?? 0) : 0;
    const trailing = right ? (spaceAtEnd.exec(text)?.[0].length ?? 0) : 0;
    const end = Math.max(start, text.length - trailing);
    if (start === 0 && end === text.length) return source;
    const kept = new Rewriter(source);
    kept.skip(start); // white space has one unit each
    kept.copy(end);
    return kept.finish();
  };
}

function replace(pattern: RegExp, content: string): Normalizer {
  return (source) => {
    let rewriter: Rewriter | undefined;
    for (const { start, end, isMatch } of partsOf(source.text, pattern)) {
      if (!isMatch) continue;
      rewriter ??= new Rewriter(source);
      rewriter.copy(start);
      rewriter.skipTo(end);
      rewriter.insert(content);
    }
    if (rewriter === undefined) return source;
    rewriter.copy(source.text.length);
    return rewriter.finish();
  };
}

/** What is put in front belongs to the first character; an empty text stays empty. */
function prepend(prefix: string): Normalizer {
  return (source) => {
    const { text, begin } = source;
    if (text === '' || prefix === '') return source;
    const starts = new Int32Array(prefix.length + text.length);
    const ends = new Int32Array(starts.length);
    starts.fill(startOf(source, 0), 0, prefix.length);
    ends.fill(endOf(source, unitsAt(text, 0)), 0, prefix.length);
    for (let unit = 0; unit < text.length; unit++) {
      starts[prefix.length + unit] = startOf(source, unit);
      ends[prefix.length + unit] = endOf(source, unit + 1);
    }
    return { text: prefix + text, begin, starts, ends };
  };
}
