import { join } from 'node:path';
import { mismatch } from '../errors.js';
import { describeJson, isFields, type JsonFields, ownField, readJsonObject } from './json_file.js';

export interface FieldOptions<T> {
  /** What an absent field (or one that is null) means; left out: the field must be there. */
  default?: T;
  /** Other spellings, older ones mostly, tried in order after the name. */
  aliases?: readonly string[];
}

/** Reads the config.json of a model's folder. @throws ERR_NOT_FOUND, ERR_FILE, ERR_FORMAT, ERR_CONFIG. */
export async function readConfig(folder: string): Promise<Config> {
  const file = join(folder, 'config.json');
  return new Config(await readJsonObject(file), file);
}

/**
 * The fields of a config.json by type. Each getter throws ERR_CONFIG, naming the file and the field, where
 * the field is missing without a default or is something else.
 */
export class Config {
  /** Class names, such as `BertModel`; empty when the file has none. */
  readonly architectures: readonly string[];
  readonly modelType: string | undefined;

  /** @param file named in errors. */
  constructor(
    readonly fields: JsonFields,
    readonly file: string,
  ) {
    this.architectures = this.stringList('architectures', { default: [] });
    this.modelType = this.string('model_type', { default: '' }) || undefined;
  }

  integer(
    name: string,
    options: FieldOptions<number> & { min?: number; max?: number } = {},
  ): number {
    const { min = 0, max = 2 ** 31 - 1 } = options;
    const isFitting = (value: unknown): value is number =>
      Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
    return this.field(name, options, isFitting, `an integer from ${min} to ${max}`);
  }

  number(name: string, options: FieldOptions<number> & { min?: number } = {}): number {
    const { min = -Infinity } = options;
    const isFitting = (value: unknown): value is number =>
      typeof value === 'number' && Number.isFinite(Math.fround(value)) && value >= min;
    return this.field(
      name,
      options,
      isFitting,
      // Models compute in float32.
      min === -Infinity ? 'a number from -3.4e38 to 3.4e38' : `a number from ${min} to 3.4e38`,
    );
  }

  string(name: string, options: FieldOptions<string> = {}): string {
    return this.field(name, options, (value) => typeof value === 'string', 'a string');
  }

  boolean(name: string, options: FieldOptions<boolean> = {}): boolean {
    return this.field(name, options, (value) => typeof value === 'boolean', 'true or false');
  }

  stringList(name: string, options: FieldOptions<readonly string[]> = {}): readonly string[] {
    const isList = (value: unknown): value is readonly string[] =>
      Array.isArray(value) && value.every((entry) => typeof entry === 'string');
    return this.field(name, options, isList, 'a list of strings');
  }

  numberList(name: string, options: FieldOptions<readonly number[]> = {}): readonly number[] {
    const isList = (value: unknown): value is readonly number[] =>
      Array.isArray(value) && value.every((entry) => Number.isFinite(entry));
    return this.field(name, options, isList, 'a list of numbers');
  }

  /** A list of strings, or one alone. */
  stringOrList(name: string, options: FieldOptions<readonly string[]> = {}): readonly string[] {
    const isString = typeof ownField(this.fields, name) === 'string';
    return isString ? [this.string(name)] : this.stringList(name, options);
  }

  /** The fields of an object inside; undefined where it is absent or null. Throws ERR_CONFIG where it is something else. */
  section(name: string): Config | undefined {
    const value = ownField(this.fields, name);
    if (value === undefined) return undefined;
    const where = `${this.file}: ${name}`;
    if (!isFields(value)) throw mismatch('ERR_CONFIG', where, 'an object', describeJson(value));
    return new Config(value, where);
  }

  /** Whether the field is there, under any of its spellings, and not null. */
  has(name: string, aliases: readonly string[] = []): boolean {
    return this.find(name, aliases) !== undefined;
  }

  /** How many classes a classifier has: `id2label`, else `num_labels`, else 2, as in Hugging Face. */
  labelCount(): number {
    const labels = ownField(this.fields, 'id2label');
    if (labels === undefined) return this.integer('num_labels', { min: 1, default: 2 });
    const count = isFields(labels) ? Object.keys(labels).length : 0;
    if (count === 0) {
      throw mismatch(
        'ERR_CONFIG',
        `${this.file}: id2label`,
        'labels by number',
        describeJson(labels),
      );
    }
    return count;
  }

  private field<T>(
    name: string,
    options: FieldOptions<T>,
    isFitting: (value: unknown) => value is T,
    expected: string,
  ): T {
    const found = this.find(name, options.aliases ?? []);
    if (found === undefined && options.default !== undefined) return options.default;
    if (found !== undefined && isFitting(found.value)) return found.value;
    const where = `${this.file}: ${found?.spelling ?? name}`;
    throw mismatch('ERR_CONFIG', where, expected, describeJson(found?.value));
  }

  private find(
    name: string,
    aliases: readonly string[],
  ): { spelling: string; value: unknown } | undefined {
    for (const spelling of [name, ...aliases]) {
      const value = ownField(this.fields, spelling);
      if (value !== undefined) return { spelling, value };
    }
    return undefined;
  }
}
