/**
 * Writes arguments so that cac's parser cannot misread them. It would take the argument behind a flag for its value where it
 * looks like a number or a boolean (`--json 1e3`), and takes no value that begins with a dash (`--file -`, `--beta -2`, or `-`
 * alone, which is put at the end).
 *
 * @param args as the process got them, without Node and the script. @param flags names of the options without a value, in camel case.
 */
export function unambiguous(args: readonly string[], flags: ReadonlySet<string>): string[] {
  const result: string[] = [];
  const dashes: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    const next = args[i + 1];
    if (arg === '--') return [...result, '--', ...dashes, ...args.slice(i + 1)];
    const isOption = /^--?[a-z][^=]*$/.test(arg) && next !== undefined;
    const isFlag = flags.has(camelCase(arg.replace(/^-+/, '')));
    if (isOption && isFlag && !next.startsWith('-')) {
      result.push(`${arg}=true`);
    } else if (isOption && !isFlag && /^-($|\.?\d)/.test(next)) {
      result.push(`${arg}=${next}`);
      i++;
    } else if (arg === '-') {
      dashes.push(arg);
    } else {
      result.push(arg);
    }
  }
  return dashes.length === 0 ? result : [...result, '--', ...dashes];
}

/** The parser's name of an option of several words. */
const camelCase = (name: string): string =>
  name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The value of an option as it was written: the parser makes a number of the tag `1.0`. */
export function written(name: string, args: readonly string[] = process.argv): string | undefined {
  const end = args.indexOf('--');
  const before = end < 0 ? args : args.slice(0, end);
  const at = before.findLastIndex((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`));
  if (at < 0) return undefined;
  return before[at] === `--${name}` ? before[at + 1] : before[at].slice(`--${name}=`.length);
}

export const modelActions = ['list', 'get', 'remove'];

/** Commands of two words, and their second ones. */
const subcommands: Readonly<Record<string, readonly string[]>> = {
  models: modelActions,
  tokenizer: ['train'],
  bench: ['machine'],
};

/** `models list` as one argument, wherever its options stand: the parser knows commands of one word. */
export function joinSubcommand(args: readonly string[]): string[] {
  const [command = '', ...rest] = args;
  const actions = Object.hasOwn(subcommands, command) ? subcommands[command] : undefined;
  const at = rest.findIndex((arg) => actions?.includes(arg));
  return at === -1 ? [...args] : [`${command} ${rest[at]}`, ...rest.toSpliced(at, 1)];
}
