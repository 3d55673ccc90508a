import { type AlignedText, mapCharacters } from './aligned_text.js';
import { flag, type JsonObject } from './tokenizer_json.js';
import { controlCharacter, decomposes, nonSpacingMarks, whiteSpace } from './unicode.js';

const plainAscii = /^[\t\n\r\x20-\x7e]*$/;
const otherSpace = /[\t\n\r]/g;

/** How many characters a normalizer remembers the replacement of. */
const rememberedCharacters = 20_000;

/**
 * BERT's clean-up, spacing of Chinese characters, accent stripping and lower-casing
 * (Devlin et al. 2018, `BasicTokenizer`), in that order, which is the order of Hugging Face's Rust code.
 *
 * All four steps act on characters one by one: lower-casing without the rule for final sigma, as Rust's
 * `char::to_lowercase`, and accent stripping because every mark that canonical ordering would move is
 * then removed (save a dozen spacing marks of Indic scripts, when two of them stand in the wrong order).
 */
export function bertNormalizer(config: JsonObject): (text: AlignedText) => AlignedText {
  const cleanText = flag(config, 'clean_text', true);
  const spaceChinese = flag(config, 'handle_chinese_chars', true);
  const lowercase = flag(config, 'lowercase', true);
  const stripAccents = flag(config, 'strip_accents', lowercase);

  function replacementFor(character: string): string {
    let result = character;
    if (cleanText) {
      if (character === '\0' || character === '\ufffd' || controlCharacter.test(character))
        return '';
      if (whiteSpace.test(character)) result = ' ';
    }
    if (spaceChinese && isChinese(character.codePointAt(0)!)) result = ` ${result} `;
    if (stripAccents) {
      if (decomposes(character)) result = result.normalize('NFD');
      result = result.replace(nonSpacingMarks, '');
    }
    return lowercase ? lowerCased(result) : result;
  }

  const replacements = new Map<string, string>();
  function remembered(character: string): string {
    let replacement = replacements.get(character);
    if (replacement === undefined) {
      if (replacements.size === rememberedCharacters) replacements.clear();
      replacement = replacementFor(character);
      replacements.set(character, replacement);
    }
    return replacement;
  }

  return (source) => {
    if (!plainAscii.test(source.text)) return mapCharacters(source, remembered);
    // No step changes the length of ASCII, so the alignment stays what it was.
    const spaced = cleanText ? source.text.replace(otherSpace, ' ') : source.text;
    return { ...source, text: lowercase ? spaced.toLowerCase() : spaced };
  };
}

/** Character by character: `toLowerCase` of a whole word would apply the rule for final sigma. */
function lowerCased(text: string): string {
  let result = '';
  for (const character of text) result += character.toLowerCase();
  return result;
}

/** The ranges of BERT's `_is_chinese_char`, with the start at U+2B920 that the Rust code has. */
function isChinese(codePoint: number): boolean {
  return (
    (codePoint >= 0x4e00 && codePoint <= 0x9fff) ||
    (codePoint >= 0x3400 && codePoint <= 0x4dbf) ||
    (codePoint >= 0x20000 && codePoint <= 0x2a6df) ||
    (codePoint >= 0x2a700 && codePoint <= 0x2b73f) ||
    (codePoint >= 0x2b740 && codePoint <= 0x2b81f) ||
    (codePoint >= 0x2b920 && codePoint <= 0x2ceaf) ||
    (codePoint >= 0xf900 && codePoint <= 0xfaff) ||
    (codePoint >= 0x2f800 && codePoint <= 0x2fa1f)
  );
}
