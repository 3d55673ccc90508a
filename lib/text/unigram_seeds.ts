import type { TrainingPace } from './training_pace.js';

/** Seeds are at most so many characters long, as SentencePiece's. */
const longestSeed = 16;

/** Numbers of strings times this, plus a character, are below 2^53. */
const characterBase = 2 ** 21;

/**
 * Strings of two characters and more that occur at least twice, the ones with the most text in them first: those of n
 * characters are looked for only where both strings of n − 1 characters that they begin and end with were found.
 * @param words characters of each word, none with an unknown one. @param most how many are kept.
 */
export async function seedStrings(
  words: readonly { characters: readonly string[]; count: number }[],
  most: number,
  pace: TrainingPace,
): Promise<[text: string, count: number][]> {
  // Of each word, for each place, the number of the string of the present length that begins there; 0: a rare one.
  const numbers = words.map(({ characters }) =>
    Int32Array.from(characters, (character) => 1 + (character.codePointAt(0) as number)),
  );
  const seeds: [text: string, count: number][] = [];
  for (let length = 2; length <= longestSeed; length++) {
    const found = new Map<number, { word: number; at: number; count: number; number: number }>();
    const keyOf = (word: number, at: number): number => {
      const strings = numbers[word] as Int32Array;
      if (strings[at] === 0 || strings[at + 1] === 0) return -1;
      const last = words[word]?.characters[at + length - 1] as string;
      return (strings[at] as number) * characterBase + (last.codePointAt(0) as number);
    };
    for (const [word, { count }] of words.entries()) {
      const places = (numbers[word] as Int32Array).length - 1;
      for (let at = 0; at < places; at++) {
        const key = keyOf(word, at);
        if (key < 0) continue;
        const known = found.get(key);
        if (known) known.count += count;
        else found.set(key, { word, at, count, number: 0 });
      }
      if (pace.isDue) await pace.pause('learn', 0, undefined);
    }
    let next = 1;
    for (const [key, string] of found) {
      if (string.count < 2) {
        found.delete(key);
        continue;
      }
      string.number = next++;
      const { characters } = words[string.word] as { characters: readonly string[] };
      seeds.push([characters.slice(string.at, string.at + length).join(''), string.count]);
    }
    if (found.size === 0) break;
    for (const [word, strings] of numbers.entries()) {
      const longer = new Int32Array(Math.max(0, strings.length - 1));
      for (let at = 0; at < longer.length; at++) {
        longer[at] = found.get(keyOf(word, at))?.number ?? 0;
      }
      numbers[word] = longer;
    }
  }
  const text = ([string, count]: [string, number]): number => count * string.length;
  return seeds.sort((a, b) => text(b) - text(a) || (a[0] < b[0] ? -1 : 1)).slice(0, most);
}
