/**
 * Character classes as the reference tokenizers have them: a checkpoint was trained on their answers,
 * so characters that were assigned or reclassified since then are taken out or put back.
 */
import {
  formerCombiningMarks,
  laterCombiningMarks,
  laterDecompositions,
  laterFormats,
  laterMarks,
  laterPunctuation,
  laterThan16,
} from './later_characters.js';

/** Inside a character class of a regular expression with the `v` flag: bert's punctuation. */
const punctuation = String.raw`[[\p{P}\u166d\u{111c9}!-\/:-@\[-\`\{-~]--[${laterPunctuation}]]`;

/** Non-spacing marks: what accent stripping removes after decomposition. */
export const nonSpacingMarks = new RegExp(
  String.raw`[[\p{Mn}\u1734\u{1171e}]--[${laterMarks}]]`,
  'gv',
);

/** Control, format, private-use and surrogate characters, without tab, newline and return. */
export const controlCharacter = new RegExp(
  String.raw`^[[\p{Cc}\p{Cf}\p{Co}\p{Cs}]--[\t\n\r${laterFormats}]]$`,
  'v',
);

export const whiteSpace = /^\p{White_Space}$/u;

/** A Unicode property as Rust and Oniguruma have it, as a class of a regular expression with the `v` flag. */
export function property(name: string): string {
  return String.raw`[\p{${name}}--[${laterThan16}]]`;
}

const alphabetic = property('Alphabetic');

/** Word characters (Unicode Technical Standard 18, annex C), without the joiners. */
export const wordCharacters = String.raw`${alphabetic}${property('M')}${property('Nd')}\p{Pc}`;

const rustWord = String.raw`${wordCharacters}\p{Join_Control}`;

/** Runs of Rust's word characters, and runs of what is neither one nor space. */
export const words = new RegExp(String.raw`[${rustWord}]+|[^${rustWord}\p{White_Space}]+`, 'gv');

/** A set of characters that answers quickly: what was said of a character is kept. */
export class CharacterSet {
  /** By code point, of the Basic Multilingual Plane: 0 not asked yet, 1 outside, 2 inside. */
  private readonly known = new Uint8Array(0x10000);

  constructor(private readonly contains: (character: string) => boolean) {}

  has(codePoint: number): boolean {
    const known = codePoint > 0xffff ? 0 : this.known[codePoint]!;
    if (known !== 0) return known === 2;
    const inside = this.contains(String.fromCodePoint(codePoint));
    if (codePoint <= 0xffff) this.known[codePoint] = inside ? 2 : 1;
    return inside;
  }
}

/** @param set a class of a regular expression with the `v` flag. */
function charactersOf(set: string): CharacterSet {
  const one = new RegExp(`^${set}$`, 'v');
  return new CharacterSet((character) => one.test(character));
}

/** Rust's `char::is_whitespace`. */
export const spaces = charactersOf(String.raw`\p{White_Space}`);

/** ASCII's and Unicode's punctuation, as BERT has it. */
export const punctuationMarks = charactersOf(punctuation);
export const punctuationMark = new RegExp(punctuation, 'gv');

/** Rust's `char::is_numeric`. */
export const numeral = /\p{N}/gu;

/** Marks of all kinds, as the reference's normalisation forms know them. */
export const combiningMark = charactersOf(
  String.raw`[[\p{M}${formerCombiningMarks}]--[${laterCombiningMarks}]]`,
);

/** SentencePiece's `nmt` rules (`builder.cc`). */
export const nmtRemoved = charactersOf(String.raw`[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]`);
export const nmtSpace = charactersOf(
  String.raw`[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]`,
);

const keptWhole = new RegExp(`^[${laterDecompositions}]$`, 'v');

/** Whether the reference's normalisation forms know the decomposition that JavaScript knows. */
export function decomposes(character: string): boolean {
  return !keptWhole.test(character);
}

/** What may compose with the character before it: marks, and the second and third parts of Hangul. */
export function isSecondOfComposition(character: string): boolean {
  return (
    /^[\u1161-\u1175\u11a8-\u11c2]$/.test(character) || combiningMark.has(character.codePointAt(0)!)
  );
}
