/**
 * Regular expressions of tokenizer.json, which are Oniguruma's in Ruby's syntax, as JavaScript's with
 * the `v` flag (Oniguruma's documentation, RE; ECMA-262, 22.2).
 *
 * Where the two read the same signs differently, Oniguruma's meaning is written out: `\s`, `\w`, `.`,
 * `^` and `$`, groups that ignore case, and possessive and atomic parts, as a lookahead that is
 * captured and then matched.
 */
import { HeddleError } from '../errors.js';
import { property, wordCharacters } from './unicode.js';

/** What the escapes mean, as the inside of a class. */
const classes: Record<string, string> = {
  s: String.raw`\p{White_Space}`,
  d: property('Nd'),
  // The first superscripts and fractions are word characters to `\w` only.
  w: String.raw`${wordCharacters}\xb2\xb3\xb9\xbc-\xbe`,
  h: '0-9A-Fa-f',
};

const posixClasses: Record<string, string> = {
  alnum: `${property('Alphabetic')}${property('Nd')}`,
  alpha: property('Alphabetic'),
  ascii: String.raw`\0-\x7f`,
  blank: String.raw`\p{Zs}\t`,
  cntrl: String.raw`\p{Cc}`,
  digit: property('Nd'),
  lower: property('Lowercase'),
  punct: `${property('P')}${property('S')}`,
  space: String.raw`\p{White_Space}`,
  upper: property('Uppercase'),
  word: wordCharacters,
  xdigit: '0-9A-Fa-f',
};

const controls: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13, a: 7, e: 27 };

/** @throws ERR_UNSUPPORTED for what cannot be said in JavaScript; ERR_FORMAT for what is no expression. */
export function translateRegex(source: string, where: string): RegExp {
  const translated = new Translation(source, where).whole();
  try {
    return new RegExp(translated, 'gv');
  } catch (cause) {
    const found = `${JSON.stringify(source)} (${(cause as Error).message})`;
    throw new HeddleError('ERR_FORMAT', `${where}: expected a regular expression, found ${found}`, {
      where,
      found,
      cause,
    });
  }
}

class Translation {
  private at = 0;
  private ignoreCase = false;
  private captures = 0;

  constructor(
    private readonly source: string,
    private readonly where: string,
  ) {}

  whole(): string {
    const result = this.alternatives();
    if (this.at < this.source.length) throw this.unsupported(`the ')' at ${this.at}`);
    return result;
  }

  private unsupported(what: string): HeddleError {
    const found = `${what} in ${JSON.stringify(this.source)}`;
    return new HeddleError(
      'ERR_UNSUPPORTED',
      `${this.where}: a regular expression with ${found} is not supported`,
      { where: this.where, found },
    );
  }

  private take(text: string): boolean {
    if (!this.source.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  private character(): string {
    const codePoint = this.source.codePointAt(this.at);
    if (codePoint === undefined) throw this.unsupported('an end too early');
    const character = String.fromCodePoint(codePoint);
    this.at += character.length;
    return character;
  }

  /** Up to the end, or the bracket that closes the group. */
  private alternatives(): string {
    const { ignoreCase } = this;
    let result = '';
    while (this.at < this.source.length && this.source[this.at] !== ')') {
      result += this.take('|') ? '|' : this.quantified();
    }
    this.ignoreCase = ignoreCase;
    return result;
  }

  private quantified(): string {
    let atom = this.atom();
    for (;;) {
      const bounds = /^(?:[*+?]|\{\d*(?:,\d*)?\})/.exec(
        this.source.slice(this.at, this.at + 24),
      )?.[0];
      if (bounds === undefined || bounds === '{}' || bounds === '{,}') return atom;
      this.at += bounds.length;
      const quantifier = bounds.startsWith('{,') ? `{0${bounds.slice(1)}` : bounds;
      const isInterval = bounds.startsWith('{');
      if (this.take('?')) {
        atom = `(?:${atom}${quantifier}?)`;
      } else if (!isInterval && this.take('+')) {
        atom = this.atomic(`${atom}${quantifier}`);
      } else {
        atom = `(?:${atom}${quantifier})`;
      }
    }
  }

  /** What has matched is not tried again: a lookahead never is. */
  private atomic(inside: string): string {
    const name = `atomic${++this.captures}`;
    return `(?:(?=(?<${name}>${inside}))\\k<${name}>)`;
  }

  private atom(): string {
    if (this.take('(')) return this.group();
    if (this.take('[')) return this.set();
    if (this.take('.')) return '[^\\n]';
    if (this.take('^')) return '(?<![^\\n])';
    if (this.take('$')) return '(?![^\\n])';
    if (this.take('\\')) return this.escape();
    return this.literal(this.character());
  }

  private group(): string {
    let open = '(?:';
    let isAtomic = false;
    const { ignoreCase } = this;
    if (this.take('?')) {
      const kind = /^(?::|=|!|<=|<!|>|#|<\w+>)/.exec(this.source.slice(this.at))?.[0];
      if (kind === '#') {
        const end = this.source.indexOf(')', this.at);
        if (end < 0) throw this.unsupported('a comment without end');
        this.at = end + 1;
        return '(?:)';
      }
      if (kind === undefined) {
        const options = /^(i?)(?:-(i?))?([:)])/.exec(this.source.slice(this.at));
        if (options === null) throw this.unsupported(`the group '(?${this.source[this.at] ?? ''}'`);
        this.at += options[0].length;
        this.ignoreCase = options[1] === 'i' || (options[2] !== 'i' && ignoreCase);
        // '(?i)' holds to the end of the group it stands in.
        if (options[3] === ')') return '(?:)';
      } else {
        this.at += kind.length;
        isAtomic = kind === '>';
        if (/^<?[=!]$/.test(kind)) open = `(?${kind}`;
      }
    }
    const inside = this.alternatives();
    this.ignoreCase = ignoreCase;
    if (!this.take(')')) throw this.unsupported("a group without ')'");
    return isAtomic ? this.atomic(`(?:${inside})`) : `${open}${inside})`;
  }

  private escape(): string {
    const letter = this.source[this.at] ?? '';
    const anchors: Record<string, string> = { A: '(?<![^])', z: '(?![^])', Z: '(?!\\n?[^])' };
    if (Object.hasOwn(anchors, letter)) {
      this.at++;
      return anchors[letter]!;
    }
    if (/[bBGKRXk1-9]/.test(letter)) throw this.unsupported(`'\\${letter}'`);
    const set = this.escapedSet();
    return set === undefined ? this.literal(this.escapedCharacter()) : set;
  }

  /** `\s`, `\p{L}` and their like as a class, or undefined when a character is escaped. */
  private escapedSet(): string | undefined {
    const letter = this.source[this.at] ?? '';
    const lower = letter.toLowerCase();
    if (Object.hasOwn(classes, lower)) {
      this.at++;
      return `[${letter === lower ? '' : '^'}${classes[lower]}]`;
    }
    if (lower !== 'p') return undefined;
    const property = /^p\{(\^?)([\w =-]+)\}/i.exec(this.source.slice(this.at));
    if (property === null) throw this.unsupported(`'\\${letter}' without a property`);
    this.at += property[0].length;
    const isNegated = (letter === 'P') !== (property[1] === '^');
    return `[${isNegated ? '^' : ''}${propertyClass(property[2]!)}]`;
  }

  private escapedCharacter(): string {
    const hexadecimal = /^(?:x([0-9A-Fa-f]{1,2})|x\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4}))/.exec(
      this.source.slice(this.at),
    );
    if (hexadecimal !== null) {
      this.at += hexadecimal[0].length;
      const [, short, braced, four] = hexadecimal;
      const codePoint = Number.parseInt((short ?? braced ?? four)!, 16);
      if (codePoint > 0x10ffff) throw this.unsupported(`'\\${hexadecimal[0]}'`);
      return String.fromCodePoint(codePoint);
    }
    const letter = this.character();
    const control = Object.hasOwn(controls, letter) ? controls[letter] : undefined;
    if (control !== undefined) return String.fromCodePoint(control);
    if (letter === '0') return '\0';
    if (/[A-Za-z0-9]/.test(letter)) throw this.unsupported(`'\\${letter}'`);
    return letter;
  }

  /** A class after its '['; both sides of each '&&' become classes of their own. */
  private set(): string {
    const negated = this.take('^') ? '^' : '';
    const sides: string[] = [];
    let side = '';
    for (let isFirst = true; ; isFirst = false) {
      if (!isFirst && this.take(']')) break;
      if (this.take('&&')) {
        sides.push(side);
        side = '';
      } else if (this.take('[:')) {
        const posix = /^(\^?)(\w+):\]/.exec(this.source.slice(this.at));
        const inside = posix === null ? undefined : posixClasses[posix[2]!];
        if (posix === null || inside === undefined) throw this.unsupported("'[:'");
        this.at += posix[0].length;
        side += `[${posix[1]}${inside}]`;
      } else if (this.take('[')) {
        side += this.set();
      } else {
        side += this.range();
      }
    }
    sides.push(side);
    if (sides.length === 1) return `[${negated}${side}]`;
    return `[${negated}${sides.map((each) => `[${each}]`).join('&&')}]`;
  }

  /** A character of a class, a range, or an escape that stands for a class. */
  private range(): string {
    const isEscaped = this.take('\\');
    const set = isEscaped ? this.escapedSet() : undefined;
    if (set !== undefined) return set;
    const from = isEscaped ? this.escapedCharacter() : this.character();
    const isRange = this.source[this.at] === '-' && !/^-(?:\]|&&)/.test(this.source.slice(this.at));
    if (!isRange) return this.alike(from).map(quoted).join('');
    this.at++;
    if (this.source[this.at] === '[') throw this.unsupported("'-['");
    const to = this.take('\\') ? this.escapedCharacter() : this.character();
    const range = `${quoted(from)}-${quoted(to)}`;
    return this.ignoreCase ? range + this.rangeAlike(from, to) : range;
  }

  private rangeAlike(from: string, to: string): string {
    const [first, last] = [from.codePointAt(0)!, to.codePointAt(0)!];
    if (last - first > 255) throw this.unsupported('a range of more than 256 that ignores case');
    let result = '';
    for (let codePoint = first; codePoint <= last; codePoint++) {
      result += charactersAlike(String.fromCodePoint(codePoint)).map(quoted).join('');
    }
    return result;
  }

  private literal(character: string): string {
    const alike = this.alike(character);
    return alike.length === 1 ? quoted(character) : `[${alike.map(quoted).join('')}]`;
  }

  private alike(character: string): string[] {
    return this.ignoreCase ? charactersAlike(character) : [character];
  }
}

function quoted(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

/** A property by the name that Oniguruma has for it: a category, a script or a binary property, in any case. */
function propertyClass(name: string): string {
  const plain = name.replace(/[ _-]/g, '').toLowerCase();
  if (plain === 'punct') return property('P');
  if (Object.hasOwn(posixClasses, plain)) return posixClasses[plain]!;
  const words = name
    .split(/[ _-]/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase());
  const spelled = words.join('_');
  return property(isProperty(spelled) ? spelled : `Script=${spelled}`);
}

function isProperty(name: string): boolean {
  try {
    new RegExp(`\\p{${name}}`, 'u');
    return true;
  } catch {
    return false;
  }
}

let cased: string[] | undefined;

/** The characters that are the same but for case, U+017F among those like 's'. */
function charactersAlike(character: string): string[] {
  if (cased === undefined) {
    cased = [];
    for (let codePoint = 0; codePoint <= 0x1ffff; codePoint++) {
      const text = String.fromCodePoint(codePoint);
      if (text.toLowerCase() !== text || text.toUpperCase() !== text) cased.push(text);
    }
  }
  const same = new RegExp(`^${quoted(character)}$`, 'iu');
  return [character, ...cased.filter((other) => other !== character && same.test(other))];
}
