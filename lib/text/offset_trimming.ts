import { spaceCharacter } from './byte_characters.js';

/** How many spaces (as byte-level vocabularies write them) begin and end a token. */
export function countSpaces(token: string): { leading: number; trailing: number } {
  let leading = 0;
  while (leading < token.length && isSpace(token[leading]!)) leading++;
  let trailing = 0;
  while (trailing < token.length && isSpace(token[token.length - 1 - trailing]!)) trailing++;
  return { leading, trailing };
}

function isSpace(character: string): boolean {
  return character === spaceCharacter || /\p{White_Space}/u.test(character);
}

/**
 * Takes the spaces at the ends of byte-level tokens out of their offsets, as Hugging Face's
 * `process_offsets` does: of a token at the very start, the first space is the one that was put in front
 * and has no place in the text.
 *
 * @param offsets start and end by turns, changed in place.
 * @param tokens as the vocabulary writes them; an added token with the spaces it took from the text.
 * @param text the text given: a step is one of its characters.
 */
export function trimOffsets(
  offsets: number[],
  tokens: readonly string[],
  text: string,
  addPrefixSpace: boolean,
): void {
  for (let i = 0; i < tokens.length; i++) {
    const spaces = countSpaces(tokens[i]!);
    let start = offsets[2 * i]!;
    let end = offsets[2 * i + 1]!;
    const isFirst = i === 0 || start === 0;
    const leading = spaces.leading - (isFirst && addPrefixSpace && spaces.leading > 0 ? 1 : 0);
    for (let step = 0; step < leading && start < end; step++) {
      start += text.codePointAt(start)! > 0xffff ? 2 : 1;
    }
    for (let step = 0; step < spaces.trailing && end > start; step++) {
      const isPair = end - start >= 2 && text.codePointAt(end - 2)! > 0xffff;
      end -= isPair ? 2 : 1;
    }
    offsets[2 * i] = start;
    offsets[2 * i + 1] = end;
  }
}
