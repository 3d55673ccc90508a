/** What a Split or Replace looks for, and the ways to cut a text at what was found. */
import { mismatch } from '../errors.js';
import { unitsAt } from './aligned_text.js';
import { translateRegex } from './oniguruma.js';
import { describe, isObject, type JsonObject, own } from './tokenizer_json.js';

/** @param value { String } or { Regex }. @throws ERR_FORMAT, ERR_UNSUPPORTED. */
export function readPattern(value: unknown, where: string): RegExp {
  const literal = isObject(value) ? own(value, 'String') : undefined;
  if (typeof literal === 'string') return literalPattern(literal);
  const regex = isObject(value) ? own(value, 'Regex') : undefined;
  if (typeof regex === 'string') return translateRegex(regex, where);
  const expected = 'a pattern { String } or { Regex }';
  throw mismatch('ERR_FORMAT', `${where}: pattern`, expected, describe(value));
}

/** Finds a text as it is; an empty one nowhere. */
export function literalPattern(text: string): RegExp {
  const units = Array.from(text, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);
  return new RegExp(text === '' ? '(?!)' : units.join(''), 'gu');
}

/** Units [start, end) of a text. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

interface Part extends Range {
  readonly isMatch: boolean;
}

/** How a text is cut: the names of tokenizer.json. */
const behaviors = [
  'Removed',
  'Isolated',
  'MergedWithPrevious',
  'MergedWithNext',
  'Contiguous',
] as const;
export type Behavior = (typeof behaviors)[number];

export function readBehavior(config: JsonObject, otherwise: Behavior, where: string): Behavior {
  const value = own(config, 'behavior') ?? otherwise;
  const found = behaviors.find((behavior) => behavior === value);
  if (found !== undefined) return found;
  throw mismatch('ERR_FORMAT', `${where}: behavior`, behaviors.join(', '), describe(value));
}

/** Matches and what lies between them, in order. @param pattern with the g flag. */
export function* partsOf(text: string, pattern: RegExp, invert = false): Generator<Part> {
  let done = 0;
  let from = 0;
  let lastEnd = -1;
  while (text !== '' && from <= text.length) {
    // Set each time: the caller may use the pattern between two parts.
    pattern.lastIndex = from;
    const match = pattern.exec(text);
    if (match === null) break;
    const start = match.index;
    const end = start + match[0].length;
    from = end;
    if (start === end && end === lastEnd) {
      // Nothing, right behind the last match, is no match.
      from += unitsAt(text, end) || 1;
      continue;
    }
    if (start > done) yield { start: done, end: start, isMatch: invert };
    yield { start, end, isMatch: !invert };
    done = end;
    lastEnd = end;
  }
  if (done < text.length) yield { start: done, end: text.length, isMatch: invert };
}

/** Cuts a text; ranges may be empty. */
export function* cut(parts: Iterable<Part>, behavior: Behavior): Generator<Range> {
  switch (behavior) {
    case 'Isolated':
      yield* parts;
      return;
    case 'Removed':
      for (const part of parts) if (!part.isMatch) yield part;
      return;
    case 'Contiguous':
      yield* joined(parts, (last, part) => last.isMatch === part.isMatch);
      return;
    case 'MergedWithPrevious':
      yield* joined(parts, (last, part) => part.isMatch && !last.isMatch);
      return;
    case 'MergedWithNext':
      yield* joined(parts, (last, part) => last.isMatch && !part.isMatch);
  }
}

/** Joins neighbouring parts where `belongs` says so of the part before and the part itself. */
function* joined(
  parts: Iterable<Part>,
  belongs: (last: Part, part: Part) => boolean,
): Generator<Range> {
  let open: Range | undefined;
  let last: Part | undefined;
  for (const part of parts) {
    if (open !== undefined && belongs(last!, part)) {
      open = { start: open.start, end: part.end };
    } else {
      if (open !== undefined) yield open;
      open = part;
    }
    last = part;
  }
  if (open !== undefined) yield open;
}
