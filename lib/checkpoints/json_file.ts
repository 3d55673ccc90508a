/** Reads small JSON files whose fields are then taken one by one with typed errors. */
import { HeddleError, mismatch } from '../errors.js';
import { kindOf, readSmallFile } from './file_reading.js';

/** What `JSON.parse` gave: read with `ownField`, never with a name of the prototype's. */
export type JsonFields = Readonly<Record<string, unknown>>;

/** The largest config known (of a model with 21,000 labels) has 2 MB. */
const largestJson = 16_000_000;

/** @throws ERR_NOT_FOUND, ERR_FILE, ERR_FORMAT. */
export async function readJson(path: string): Promise<unknown> {
  const bytes = await readSmallFile(path, largestJson);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    const message = `${path}: expected JSON: ${(cause as Error).message}`;
    throw new HeddleError('ERR_FORMAT', message, { expected: 'JSON', where: path, cause });
  }
}

export async function readJsonObject(path: string): Promise<JsonFields> {
  const value = await readJson(path);
  if (!isFields(value)) throw mismatch('ERR_FORMAT', path, 'a JSON object', describeJson(value));
  return value;
}

export async function readJsonObjectIfThere(path: string): Promise<JsonFields | undefined> {
  return (await kindOf(path)) === 'absent' ? undefined : readJsonObject(path);
}

export function isFields(value: unknown): value is JsonFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field of the object itself; undefined when it is absent or null. */
export function ownField(fields: JsonFields, name: string): unknown {
  return Object.hasOwn(fields, name) ? (fields[name] ?? undefined) : undefined;
}

/** A value in an error message. */
export function describeJson(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (isFields(value)) return 'an object';
  // What JSON cannot hold, fields that a program gives may.
  const text = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
