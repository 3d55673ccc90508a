/**
 * Unicode normalisation forms (Unicode Standard Annex 15) that remember where characters came from,
 * with the alignment of Rust's `unicode-normalization-alignments`: the first character of a
 * decomposition stands in the place of the old one and the others are put in; what composes takes the
 * places of its parts.
 *
 * What a character decomposes to, and whether two compose, JavaScript's `normalize` says.
 */
import { type AlignedText, Rewriter } from './aligned_text.js';
import { combiningMark, decomposes, isSecondOfComposition } from './unicode.js';

type Form = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

/** A character of the normal form, and how many characters it takes from the old text: 1 - change, or 0 where change is 1. */
interface Character {
  text: string;
  change: number;
}

const plainAscii = /^[\0-\x7f]*$/;

/** `normalize` of a text takes time in proportion to the square of the longest run of marks. */
const longRunOfMarks = /\p{M}{64}/u;

const rememberedCharacters = 20_000;

export function unicodeNormalizer(form: Form): (source: AlignedText) => AlignedText {
  const decomposition = form === 'NFC' || form === 'NFD' ? 'NFD' : 'NFKD';
  const composes = form === 'NFC' || form === 'NFKC';
  const remembered = new Map<string, string>();
  const decomposed = (character: string): string => {
    let result = remembered.get(character);
    if (result === undefined) {
      if (remembered.size === rememberedCharacters) remembered.clear();
      result = decomposes(character) ? character.normalize(decomposition) : character;
      remembered.set(character, result);
    }
    return result;
  };
  return (source) => {
    const { text } = source;
    if (plainAscii.test(text)) return source;
    if (!longRunOfMarks.test(text) && text.normalize(form) === text) return source;
    const decomposedText = inOrder(text, decomposed);
    const rewriter = new Rewriter(source);
    for (const { text: character, change } of composes
      ? composed(decomposedText)
      : decomposedText) {
      if (change > 0) {
        rewriter.insert(character);
      } else {
        rewriter.replace(character);
        rewriter.skip(-change);
      }
    }
    return rewriter.finish();
  };
}

/** The decomposition, with runs of marks in the order of their combining classes. */
function* inOrder(text: string, decomposed: (character: string) => string): Generator<Character> {
  let marks: Character[] = [];
  for (const character of text) {
    let change = 0;
    for (const part of decomposed(character)) {
      const next = { text: part, change };
      change = 1;
      if (combiningClass(part) > 0) {
        marks.push(next);
        continue;
      }
      yield* sorted(marks);
      marks = [];
      yield next;
    }
  }
  yield* sorted(marks);
}

function sorted(marks: Character[]): Character[] {
  return marks.length < 2
    ? marks
    : marks.sort((a, b) => combiningClass(a.text) - combiningClass(b.text));
}

/** Composes each starter with the marks that nothing blocks (Unicode Standard, D117). */
function* composed(characters: Iterable<Character>): Generator<Character> {
  let starter: Character | undefined;
  let waiting: Character[] = [];
  let lastClass = 0;
  for (const next of characters) {
    const nextClass = combiningClass(next.text);
    if (starter === undefined) {
      if (nextClass === 0) starter = next;
      else yield next;
      continue;
    }
    const isBlocked = waiting.length > 0 && lastClass >= nextClass;
    const whole = isBlocked ? undefined : composition(starter.text, next.text);
    if (whole !== undefined) {
      starter = { text: whole, change: starter.change + next.change - 1 };
    } else if (nextClass === 0) {
      yield starter;
      yield* waiting;
      starter = next;
      waiting = [];
    } else {
      waiting.push(next);
      lastClass = nextClass;
    }
  }
  if (starter !== undefined) yield starter;
  yield* waiting;
}

/** What two characters compose to. */
function composition(first: string, second: string): string | undefined {
  if (!isSecondOfComposition(second)) return undefined;
  const whole = (first + second).normalize('NFC');
  return [...whole].length === 1 && decomposes(whole) ? whole : undefined;
}

let classes: Map<string, number> | undefined;

/**
 * A number that orders characters as their canonical combining class does; 0 for class 0. JavaScript
 * does not name the classes, but sorts by them: two marks change places when the class of the first is
 * the greater one.
 */
function combiningClass(character: string): number {
  if (character < '\u0300') return 0;
  classes ??= combiningClasses();
  return classes.get(character) ?? 0;
}

function combiningClasses(): Map<string, number> {
  const swaps = (first: string, second: string): boolean =>
    (first + second).normalize('NFD') === second + first && first !== second;
  const marks: string[] = [];
  for (let codePoint = 0x300; codePoint <= 0x1ffff; codePoint++) {
    if (!combiningMark.has(codePoint)) continue;
    const mark = String.fromCodePoint(codePoint);
    if (mark.normalize('NFD') !== mark) continue;
    // Of class 240 and of class 1, the last and the first: a mark of any class changes places with one of them.
    if (swaps('\u0345', mark) || swaps(mark, '\u0334')) marks.push(mark);
  }
  const ordered = marks.join('').normalize('NFD');
  const result = new Map<string, number>();
  let last = '';
  let rank = 1;
  for (const mark of ordered) {
    if (last !== '' && swaps(mark, last)) rank++;
    result.set(mark, rank);
    last = mark;
  }
  return result;
}
