/**
 * A text after some steps of normalisation, that still knows where each of its units came from.
 *
 * Unit i (UTF-16) of `text` came from [start, end) of the text the caller gave: the units at
 * `starts[i]` and `ends[i]`, or, while nothing has changed any length, simply [origin + i,
 * origin + i + 1). That a unit which was inserted shares the range of the character it belongs to, and
 * that a removed character leaves a gap, are the rules of Hugging Face's `NormalizedString`.
 */
export interface AlignedText {
  readonly text: string;
  readonly origin: number;
  readonly starts: ArrayLike<number> | null;
  readonly ends: ArrayLike<number> | null;
}

/** Units [start, end) of an aligned text: one word of a pre-tokenizer. */
export interface Word {
  readonly text: string;
  readonly source: AlignedText;
  readonly at: number;
}

/** [start, end) of the given text, as it is. */
export function sliceOfGiven(given: string, start: number, end: number): AlignedText {
  return { text: given.slice(start, end), origin: start, starts: null, ends: null };
}

export function startOf(source: AlignedText, unit: number): number {
  return source.starts === null ? source.origin + unit : source.starts[unit]!;
}

/** The end in the given text of what came before `unit`; `unit` is at least 1. */
export function endOf(source: AlignedText, unit: number): number {
  return source.ends === null ? source.origin + unit : source.ends[unit - 1]!;
}

export function sliceAligned(source: AlignedText, start: number, end: number): AlignedText {
  const text = source.text.slice(start, end);
  if (source.starts === null || source.ends === null) {
    return { text, origin: source.origin + start, starts: null, ends: null };
  }
  return {
    text,
    origin: 0,
    starts: Array.prototype.slice.call(source.starts, start, end),
    ends: Array.prototype.slice.call(source.ends, start, end),
  };
}

/** Replaces each character (code point) by what `replace` gives for it, which may be empty or longer. */
export function mapCharacters(
  source: AlignedText,
  replace: (character: string) => string,
): AlignedText {
  const starts: number[] = [];
  const ends: number[] = [];
  let text = '';
  let unit = 0;
  for (const character of source.text) {
    const replacement = replace(character);
    const start = startOf(source, unit);
    unit += character.length;
    const end = endOf(source, unit);
    for (let i = 0; i < replacement.length; i++) {
      starts.push(start);
      ends.push(end);
    }
    text += replacement;
  }
  return { text, origin: 0, starts, ends };
}
