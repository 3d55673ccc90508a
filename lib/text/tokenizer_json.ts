/** Typed reading of the parsed tokenizer.json and its neighbours. */
import { HeddleError, mismatch } from '../errors.js';

export type JsonObject = { readonly [key: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws ERR_FORMAT when the text is not JSON or not an object. */
export function parseObject(text: string, where: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new HeddleError('ERR_FORMAT', `${where}: not JSON: ${(cause as Error).message}`, {
      where,
      cause,
    });
  }
  if (!isObject(value)) throw mismatch('ERR_FORMAT', where, 'a JSON object', describe(value));
  return value;
}

/** A member that is an object; null when it is null or absent. */
export function objectOrNull(config: JsonObject, key: string, where: string): JsonObject | null {
  const value = own(config, key);
  if (value === undefined || value === null) return null;
  if (!isObject(value)) {
    throw mismatch('ERR_FORMAT', `${where}: ${key}`, 'an object or null', describe(value));
  }
  return value;
}

export function typeOf(config: JsonObject, where: string): string {
  const type = own(config, 'type');
  if (typeof type !== 'string') {
    throw mismatch('ERR_FORMAT', `${where}: type`, 'a string', describe(type));
  }
  return type;
}

/** A Boolean member; `otherwise` when it is absent or null. */
export function flag(config: JsonObject, key: string, otherwise: boolean): boolean {
  const value = own(config, key);
  return typeof value === 'boolean' ? value : otherwise;
}

/** A member that is a text; `otherwise` when it is absent or null. */
export function textOr(config: JsonObject, key: string, otherwise: string, where: string): string {
  const value = own(config, key) ?? otherwise;
  if (typeof value !== 'string') {
    throw mismatch('ERR_FORMAT', `${where}: ${key}`, 'a string', describe(value));
  }
  return value;
}

/** A member that is an integer from 0; `otherwise` when it is absent or null. */
export function integer(config: JsonObject, key: string, otherwise: number, where: string): number {
  const value = own(config, key) ?? otherwise;
  if (!isCount(value)) {
    throw mismatch('ERR_FORMAT', `${where}: ${key}`, 'an integer of at least 0', describe(value));
  }
  return value;
}

/** The parts of a Sequence. */
export function objectsOf(config: JsonObject, key: string, where: string): JsonObject[] {
  const list = own(config, key);
  if (!Array.isArray(list) || !list.every(isObject)) {
    throw mismatch('ERR_FORMAT', `${where}: ${key}`, 'a list of objects', describe(list));
  }
  return list;
}

export function own(config: JsonObject, key: string): unknown {
  return Object.hasOwn(config, key) ? config[key] : undefined;
}

/** A token's id: as large as no vocabulary is, so that tables by id have a bound. */
export function isId(value: unknown): value is number {
  return isCount(value) && value < idLimit;
}

/** Ids are less. */
export const idLimit = 2 ** 22;

/** An integer from 0 to 2^31 - 1. */
function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31;
}

export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'string' ? `'${value}'` : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
