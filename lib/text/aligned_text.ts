/**
 * A stretch of the given text after some steps of normalisation, that still knows where each of its
 * units came from.
 *
 * Unit i (UTF-16) of `text` came from [start, end) of the text the caller gave: the units at
 * `starts[i]` and `ends[i]`, or, while no length has changed, simply [begin + i, begin + i + 1). Which
 * range a unit has that was put in, and that a removed character leaves a gap, are the rules of Hugging
 * Face's `NormalizedString`.
 */
export interface AlignedText {
  readonly text: string;
  /** Where the stretch begins in the given text; its first units may have been removed since. */
  readonly begin: number;
  readonly starts: ArrayLike<number> | null;
  readonly ends: ArrayLike<number> | null;
}

/** One word of a pre-tokenizer: units of an aligned text, perhaps with some put in front. */
export interface Word {
  readonly text: string;
  readonly source: AlignedText;
  /** Where in `source` it begins. */
  readonly at: number;
  /** How many of its units were put in front: they belong to the character that follows. */
  readonly prefix: number;
}

/** [start, end) of the given text, as it is. */
export function sliceOfGiven(given: string, start: number, end: number): AlignedText {
  return { text: given.slice(start, end), begin: start, starts: null, ends: null };
}

export function startOf(source: AlignedText, unit: number): number {
  return source.starts === null ? source.begin + unit : source.starts[unit]!;
}

/** The end in the given text of what came before `unit`; `unit` is at least 1. */
export function endOf(source: AlignedText, unit: number): number {
  return source.ends === null ? source.begin + unit : source.ends[unit - 1]!;
}

export function sliceAligned(source: AlignedText, start: number, end: number): AlignedText {
  const text = source.text.slice(start, end);
  const begin = startOf(source, start);
  if (source.starts === null || source.ends === null) {
    return { text, begin, starts: null, ends: null };
  }
  return {
    text,
    begin,
    starts: Array.prototype.slice.call(source.starts, start, end),
    ends: Array.prototype.slice.call(source.ends, start, end),
  };
}

/** Units [start, end) of an aligned text as a word. */
export function wordOf(source: AlignedText, start: number, end: number): Word {
  return { text: source.text.slice(start, end), source, at: start, prefix: 0 };
}

/** Where a word's unit begins in the given text. */
export function startInWord({ source, at, prefix }: Word, unit: number): number {
  return startOf(source, unit < prefix ? at : at + unit - prefix);
}

/** Where what comes before a word's unit ends in the given text; `unit` is at least 1. */
export function endInWord({ source, at, prefix }: Word, unit: number): number {
  if (unit > prefix) return endOf(source, at + unit - prefix);
  return endOf(source, at + unitsAt(source.text, at));
}

/** A word, which is not empty, as a text of its own. */
export function alignedWord(word: Word): AlignedText {
  const { text, source, at, prefix } = word;
  if (prefix > 0) {
    const starts = new Int32Array(text.length);
    const ends = new Int32Array(text.length);
    for (let unit = 0; unit < text.length; unit++) {
      starts[unit] = startInWord(word, unit);
      ends[unit] = endInWord(word, unit + 1);
    }
    return { text, begin: startOf(source, at), starts, ends };
  }
  return at === 0 && text.length === source.text.length
    ? source
    : sliceAligned(source, at, at + text.length);
}

/** How many units the character at a unit has; 0 at the end. */
export function unitsAt(text: string, unit: number): number {
  const codePoint = text.codePointAt(unit);
  return codePoint === undefined ? 0 : codePoint > 0xffff ? 2 : 1;
}

/** Writes a text anew from left to right, remembering for each unit where it came from. */
export class Rewriter {
  private text = '';
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];
  private at = 0;

  constructor(private readonly source: AlignedText) {}

  /** Copies what lies before a unit of the old text, as it is. */
  copy(end: number): void {
    const { source } = this;
    this.text += source.text.slice(this.at, end);
    for (; this.at < end; this.at++) {
      this.starts.push(startOf(source, this.at));
      this.ends.push(endOf(source, this.at + 1));
    }
  }

  /** Leaves characters out. */
  skip(characters: number): void {
    for (let i = 0; i < characters; i++) this.at += unitsAt(this.source.text, this.at);
  }

  /** Leaves out what lies before a unit. */
  skipTo(end: number): void {
    this.at = Math.max(this.at, end);
  }

  /** Puts a character in the place of the next one of the old text. */
  replace(character: string): void {
    const { source, at } = this;
    const next = at + unitsAt(source.text, at);
    if (next === at) this.insert(character);
    else this.push(character, startOf(source, at), endOf(source, next));
    this.at = next;
  }

  /** Puts characters in; they belong to what came before them. */
  insert(characters: string): void {
    const { source, at } = this;
    if (at === 0) this.push(characters, source.begin, source.begin);
    else
      this.push(characters, startOf(source, at - unitsBefore(source.text, at)), endOf(source, at));
  }

  finish(): AlignedText {
    return {
      text: this.text,
      begin: this.source.begin,
      starts: this.starts,
      ends: this.ends,
    };
  }

  private push(characters: string, start: number, end: number): void {
    this.text += characters;
    for (let i = 0; i < characters.length; i++) {
      this.starts.push(start);
      this.ends.push(end);
    }
  }
}

function unitsBefore(text: string, unit: number): number {
  return unit > 1 && text.codePointAt(unit - 2)! > 0xffff ? 2 : 1;
}

/** Replaces each character (code point) by what `replace` gives for it, which may be empty or longer. */
export function mapCharacters(
  source: AlignedText,
  replace: (character: string) => string,
): AlignedText {
  const { text } = source;
  let rewriter: Rewriter | undefined;
  for (let at = 0; at < text.length; ) {
    const units = unitsAt(text, at);
    const character = units === 1 ? text[at]! : text.slice(at, at + units);
    const replacement = replace(character);
    if (replacement !== character) {
      rewriter ??= new Rewriter(source);
      rewriter.copy(at);
      rewriter.skip(1);
      if (replacement !== '') rewriter.insert(replacement);
    }
    at += units;
  }
  if (rewriter === undefined) return source;
  rewriter.copy(text.length);
  return rewriter.finish();
}
