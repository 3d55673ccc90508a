/** Tokens that stand outside the vocabulary's rules: special tokens, and words a model's author added. */
import { mismatch } from '../errors.js';
import { type AlignedText, sliceAligned } from './aligned_text.js';
import { describe, flag, idLimit, isId, isObject, own } from './tokenizer_json.js';

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Takes the white space on its left (right) with it. */
  readonly takesLeft: boolean;
  readonly takesRight: boolean;
  /** Found only where no word character touches it. */
  readonly singleWord: boolean;
  /** Looked for in the normalised text, instead of the text as given. */
  readonly normalized: boolean;
  readonly special: boolean;
}

export function readAddedTokens(value: unknown, where: string): AddedToken[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw mismatch('ERR_FORMAT', where, 'an array', describe(value));
  return value.map((entry: unknown, index) => {
    const content = isObject(entry) ? own(entry, 'content') : undefined;
    const id = isObject(entry) ? own(entry, 'id') : undefined;
    if (!isObject(entry) || typeof content !== 'string' || !isId(id)) {
      throw mismatch(
        'ERR_FORMAT',
        `${where}[${index}]`,
        `a token with 'content' and an 'id' below ${idLimit}`,
        describe(entry),
      );
    }
    const special = flag(entry, 'special', false);
    return {
      id,
      content,
      takesLeft: flag(entry, 'lstrip', false),
      takesRight: flag(entry, 'rstrip', false),
      singleWord: flag(entry, 'single_word', false),
      normalized: flag(entry, 'normalized', !special),
      special,
    };
  });
}

/** A stretch of text: an added token, or (id null) text between added tokens. */
export interface Section {
  readonly id: number | null;
  readonly text: AlignedText;
}

const wordAtStart = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const wordAtEnd = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;

/** Finds added tokens from left to right, the longest one where several begin. */
export class AddedTokenFinder {
  private readonly byFirstUnit = new Map<string, { content: string; token: AddedToken }[]>();
  private readonly firstUnits: RegExp | null;

  /** @param contentOf what of a token is looked for. */
  constructor(tokens: readonly AddedToken[], contentOf: (token: AddedToken) => string) {
    for (const token of tokens) {
      const content = contentOf(token);
      if (content === '') continue;
      const candidates = this.byFirstUnit.get(content[0]!) ?? [];
      candidates.push({ content, token });
      candidates.sort((a, b) => b.content.length - a.content.length);
      this.byFirstUnit.set(content[0]!, candidates);
    }
    const units = [...this.byFirstUnit.keys()].map(
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    this.firstUnits = units.length === 0 ? null : new RegExp(`[${units.join('')}]`, 'g');
  }

  *split(source: AlignedText): Generator<Section> {
    const { text } = source;
    let done = 0;
    let from = 0;
    for (let found = this.next(text, from); found !== null; found = this.next(text, from)) {
      const { token } = found;
      let start = found.at;
      let end = found.at + found.content.length;
      from = end;
      if (token.singleWord && touchesWord(text, start, end)) continue;
      if (token.takesLeft) start = Math.max(done, leftOfSpace(text, start));
      if (token.takesRight) {
        while (end < text.length && /\p{White_Space}/u.test(text[end]!)) end++;
        from = end;
      }
      if (start > done) yield { id: null, text: sliceAligned(source, done, start) };
      yield { id: token.id, text: sliceAligned(source, start, end) };
      done = end;
    }
    if (done < text.length) {
      yield { id: null, text: done === 0 ? source : sliceAligned(source, done, text.length) };
    }
  }

  private next(
    text: string,
    from: number,
  ): { at: number; content: string; token: AddedToken } | null {
    if (this.firstUnits === null) return null;
    this.firstUnits.lastIndex = from;
    for (
      let match = this.firstUnits.exec(text);
      match !== null;
      match = this.firstUnits.exec(text)
    ) {
      for (const candidate of this.byFirstUnit.get(match[0])!) {
        if (text.startsWith(candidate.content, match.index))
          return { at: match.index, ...candidate };
      }
    }
    return null;
  }
}

function leftOfSpace(text: string, end: number): number {
  let start = end;
  // White space is never outside the Basic Multilingual Plane: one unit each.
  while (start > 0 && /\p{White_Space}/u.test(text[start - 1]!)) start--;
  return start;
}

function touchesWord(text: string, start: number, end: number): boolean {
  const before = text.slice(Math.max(0, start - 2), start);
  return wordAtEnd.test(before) || wordAtStart.test(text.slice(end, end + 2));
}
