import { HeddleError } from '../errors.js';

/** One machine-readable document, or one line of several, on stdout. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function printLine(text = ''): void {
  process.stdout.write(`${text}\n`);
}

/** Notes and progress go to stderr, so that stdout can be piped. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Says on stderr how many texts were cut. */
export function noteCut({ count, maxLength }: { count: number; maxLength: number }): void {
  note(`${count} ${count === 1 ? 'text was' : 'texts were'} cut to ${maxLength} tokens`);
}

const secondsBetweenNotes = 30;

/** A progress bar on a terminal; elsewhere a line each half minute, so that logs of long runs are not silent. */
export class ProgressBar {
  private shown = false;
  private noted = performance.now();

  constructor(private readonly label: string) {}

  update(done: number, total: number): void {
    if (total === 0) return;
    const percent = `${Math.round((100 * done) / total)} %`;
    if (!process.stderr.isTTY) {
      const now = performance.now();
      if (now - this.noted < 1000 * secondsBetweenNotes) return;
      this.noted = now;
      note(`${this.label}: ${percent}`);
      return;
    }
    // A line that the terminal breaks in two cannot be written over.
    const room = (process.stderr.columns || 80) - this.label.length - ' 100 %'.length - 2;
    const width = Math.max(0, Math.min(30, room));
    const filled = Math.round((width * done) / total);
    const bar = '█'.repeat(filled) + '░'.repeat(width - filled);
    process.stderr.write(`\r\x1b[K${this.label} ${bar} ${percent}`);
    this.shown = true;
  }

  /** Takes the bar away. */
  end(): void {
    if (this.shown) process.stderr.write('\r\x1b[K');
    this.shown = false;
  }
}

/** Columns of text, aligned: the first to the left, numbers to the right. */
export function table(
  rows: readonly (readonly string[])[],
  rightAligned: readonly number[] = [],
): string {
  const widths =
    rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column].length))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, i) =>
          rightAligned.includes(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i]),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function formatBytes(bytes: number): string {
  const step = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  return `${step === 0 ? bytes : (bytes / 2 ** (10 * step)).toFixed(1)} ${units[step]}`;
}

/** The value of an option that must be one of some words. */
export function choice<T extends string>(
  name: string,
  value: unknown,
  allowed: readonly T[],
): T | undefined {
  if (value === undefined) return undefined;
  if (allowed.includes(value as T)) return value as T;
  throw new HeddleError(
    'ERR_ARGUMENT',
    `--${name}: expected one of ${allowed.join(', ')}, found '${value}'`,
  );
}

/** The value of an option that must be a whole number of at least 1. */
export function count(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (Number.isInteger(value) && (value as number) >= 1) return value as number;
  throw new HeddleError(
    'ERR_ARGUMENT',
    `--${name}: expected a whole number from 1, found '${value}'`,
  );
}
