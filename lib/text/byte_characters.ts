/**
 * The printable characters that stand for bytes in byte-level vocabularies (Radford et al. 2019,
 * `bytes_to_unicode`): printable Latin-1 stands for itself, the other bytes take U+0100 onwards in order.
 */
const characters: string[] = [];
let next = 0x100;
for (let byte = 0; byte < 256; byte++) {
  const printable =
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  characters.push(String.fromCharCode(printable ? byte : next++));
}

/** By byte. */
export const byteCharacters: readonly string[] = characters;

const bytes = new Map(characters.map((character, byte) => [character, byte]));

/** The byte that a character stands for; undefined for other characters. */
export function byteOf(character: string): number | undefined {
  return bytes.get(character);
}

/** What the byte 0x20 became: 'Ġ'. */
export const spaceCharacter = characters[0x20]!;

const encoder = new TextEncoder();
const remembered = new Map<string, string>();
const rememberedCharacters = 20_000;

/** One character for each UTF-8 byte of a character. */
export function byteCharactersOf(character: string): string {
  if (character.length === 1 && character < '\x80') return characters[character.charCodeAt(0)]!;
  let result = remembered.get(character);
  if (result !== undefined) return result;
  result = '';
  for (const byte of encoder.encode(character)) result += characters[byte]!;
  if (remembered.size === rememberedCharacters) remembered.clear();
  remembered.set(character, result);
  return result;
}
