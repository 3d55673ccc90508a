/** Checks of what callers give: a misspelt or misplaced option must never be ignored. */
import { mismatch } from '../errors.js';

/** A value as messages show it: short, whatever it is. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 40 ? `${value.slice(0, 40)}…` : value}'`;
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const name = value.constructor?.name;
  return name === undefined || name === 'Object' ? 'an object' : `an object of class ${name}`;
}

/** Throws ERR_ARGUMENT unless `given` is an object, and has no keys but the known ones. */
export function checkOptions<T extends object>(
  where: string,
  given: T,
  known: readonly (keyof T & string)[],
): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    const expected = `an object of options (${known.join(', ')})`;
    throw mismatch('ERR_ARGUMENT', where, expected, describeValue(given));
  }
  const unknown = Object.keys(given).find((key) => !(known as readonly string[]).includes(key));
  if (unknown !== undefined) {
    const expected = `only the options ${known.join(', ')}`;
    throw mismatch('ERR_ARGUMENT', where, expected, describeValue(unknown));
  }
}

/** Throws ERR_ARGUMENT unless every size is a whole number from `min` to 2^31 − 1. */
export function checkSizes(
  where: string,
  sizes: Readonly<Record<string, unknown>>,
  min: 0 | 1 = 1,
): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (!(Number.isInteger(size) && (size as number) >= min && (size as number) < 2 ** 31)) {
      const expected = `a whole number from ${min} to 2^31 − 1`;
      throw mismatch('ERR_ARGUMENT', `${where}: ${name}`, expected, describeValue(size));
    }
  }
}

/** Throws ERR_ARGUMENT unless `given` is an AbortSignal, or left out. */
export function checkSignal(where: string, given: unknown): void {
  if (given === undefined || given instanceof AbortSignal) return;
  throw mismatch('ERR_ARGUMENT', `${where}: signal`, 'an AbortSignal', describeValue(given));
}

/** Throws ERR_ARGUMENT unless `given` is one of `choices`. */
export function checkChoice(where: string, given: unknown, choices: readonly string[]): void {
  if (!(choices as readonly unknown[]).includes(given)) {
    throw mismatch(
      'ERR_ARGUMENT',
      where,
      `one of ${choices.map(describeValue).join(', ')}`,
      describeValue(given),
    );
  }
}

/** Throws ERR_ARGUMENT unless `given` is finite as a float32, and at least `min`. */
export function checkFloat(where: string, given: unknown, min = -Infinity): void {
  if (typeof given === 'number' && Number.isFinite(Math.fround(given)) && given >= min) return;
  const expected = `a number in the range of float32${min === -Infinity ? '' : `, at least ${min}`}`;
  throw mismatch('ERR_ARGUMENT', where, expected, describeValue(given));
}
