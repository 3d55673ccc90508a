import { HeddleError } from '../errors.js';

/**
 * Reads JSON token by token, as strictly as a file's header needs: `JSON.parse` keeps the last of
 * duplicate keys, rounds integers above 2^53, and takes 4.0, 1e3 and -0 for integers. Nothing here
 * recurses, whatever the file says.
 */
export class JsonScanner {
  private at = 0;

  /** @param where named in errors. */
  constructor(
    private readonly text: string,
    private readonly where: string,
  ) {}

  /** Decodes UTF-8. @throws ERR_FORMAT when it is not UTF-8. */
  static fromBytes(bytes: Uint8Array, where: string): JsonScanner {
    try {
      // A byte order mark stays, to be refused as what it is.
      const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
      return new JsonScanner(decoder.decode(bytes), where);
    } catch (cause) {
      throw new HeddleError('ERR_FORMAT', `${where}: expected UTF-8, found other bytes`, {
        expected: 'UTF-8',
        where,
        cause,
      });
    }
  }

  /** Whether the next character, after white space, is `character`; steps over it if so. */
  accept(character: string): boolean {
    this.skipSpace();
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  expect(character: string): void {
    if (!this.accept(character)) this.fail(`'${character}'`);
  }

  /** Calls `member` behind each `"key":`. @throws ERR_FORMAT also for a key that comes twice. */
  object(member: (key: string) => void): void {
    this.expect('{');
    if (this.accept('}')) return;
    const keys = new Set<string>();
    do {
      const key = this.string();
      if (keys.has(key)) this.fail('different keys', `'${key}' twice`);
      keys.add(key);
      this.expect(':');
      member(key);
    } while (this.accept(','));
    this.expect('}');
  }

  array(element: () => void): void {
    this.expect('[');
    if (this.accept(']')) return;
    do element();
    while (this.accept(','));
    this.expect(']');
  }

  string(): string {
    this.skipSpace();
    const token = this.stringToken();
    this.at += token.length;
    const value = JSON.parse(token) as string;
    if (/[\0\p{Surrogate}]/u.test(value))
      this.fail('a string without NUL or half a surrogate pair');
    return value;
  }

  /** The string that begins here, with its quotes. By hand: a regular expression overflows the stack on a long one. */
  private stringToken(): string {
    const { text, at } = this;
    if (text[at] !== '"') this.fail('a string');
    for (let end = at + 1; end < text.length; end++) {
      const unit = text.charCodeAt(end);
      if (unit === quote) return text.slice(at, end + 1);
      if (unit < 0x20) break;
      if (unit !== backslash) continue;
      escapeToken.lastIndex = end;
      const escaped = escapeToken.exec(text)?.[0];
      if (escaped === undefined) break;
      end += escaped.length - 1;
    }
    this.fail('a string');
  }

  /** An integer from 0 to 2^53 - 1, written in digits only. */
  integer(): number {
    this.skipSpace();
    integerToken.lastIndex = this.at;
    const token = integerToken.exec(this.text)?.[0];
    const value = Number(token);
    if (token === undefined || !Number.isSafeInteger(value))
      this.fail('an integer from 0 to 2^53 - 1');
    this.at += token.length;
    return value;
  }

  /** Steps over a value of any kind, nested to any depth. */
  skipValue(): void {
    const closers: string[] = [];
    do {
      if (this.accept('{')) {
        closers.push('}');
        if (this.accept('}')) closers.pop();
        else {
          this.skipKey();
          continue;
        }
      } else if (this.accept('[')) {
        closers.push(']');
        if (this.accept(']')) closers.pop();
        else continue;
      } else {
        this.skipScalar();
      }
      while (closers.length > 0 && !this.accept(',')) this.expect(closers.pop()!);
      if (closers.at(-1) === '}') this.skipKey();
    } while (closers.length > 0);
  }

  private skipKey(): void {
    this.string();
    this.expect(':');
  }

  private skipScalar(): void {
    this.skipSpace();
    if (this.text[this.at] === '"') {
      this.string();
      return;
    }
    scalarToken.lastIndex = this.at;
    const token = scalarToken.exec(this.text)?.[0];
    if (token === undefined) this.fail('a value');
    this.at += token.length;
  }

  /** Only white space may follow. */
  end(): void {
    this.skipSpace();
    if (this.at < this.text.length) this.fail('the end');
  }

  private skipSpace(): void {
    while (this.at < this.text.length && ' \t\n\r'.includes(this.text[this.at]!)) this.at++;
  }

  fail(expected: string, found = this.here()): never {
    throw new HeddleError(
      'ERR_FORMAT',
      `${this.where}: at character ${this.at}: expected ${expected}, found ${found}`,
      { expected, found, where: this.where },
    );
  }

  private here(): string {
    if (this.at >= this.text.length) return 'the end';
    const rest = this.text.slice(this.at, this.at + 20);
    return JSON.stringify(rest);
  }
}

const quote = 0x22;
const backslash = 0x5c;
const escapeToken = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** Not followed by what would make it another number. */
const integerToken = /(?:0|[1-9][0-9]{0,15})(?![0-9.eE])/y;

const scalarToken = /true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
