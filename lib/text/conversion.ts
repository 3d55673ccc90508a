/** What the older vocabulary files of a folder give for a tokenizer.json; see `vocabulary_files.ts`. */
import type { FlaggedToken } from './special_tokens.js';
import type { Role } from './tokenizer_classes.js';
import type { JsonObject } from './tokenizer_json.js';

/** What a conversion is made from. */
export interface ConversionInput {
  readonly folder: string;
  /** Without `Fast`. */
  readonly className: string;
  /** The files of the class, by name. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** tokenizer_config.json, or an empty object. */
  readonly config: JsonObject;
  readonly specialTokens: ReadonlyMap<Role, string>;
}

export interface Conversion {
  readonly model: JsonObject;
  /** The id of a token of the model. */
  readonly idOf: (token: string) => number | undefined;
  /** The number of tokens in the model. */
  readonly size: number;
  /** Tokens that the vocabulary's file itself sets apart. */
  readonly addedTokens: readonly FlaggedToken[];
  readonly normalizer: JsonObject | null;
  readonly preTokenizer: JsonObject;
  readonly decoder: JsonObject;
  /** Called when ids of all tokens are known. */
  readonly postProcessor: (idOf: (token: string) => number) => JsonObject;
}

export function sequence(key: string, steps: readonly JsonObject[]): JsonObject {
  return { type: 'Sequence', [key]: steps };
}

/** A replacement of a text, or of what a regular expression finds. */
export function replaceStep(pattern: JsonObject, content: string): JsonObject {
  return { type: 'Replace', pattern, content };
}

/** A special token, or one of the texts (`$A`, `$B`), with the type of its ids. */
export type Part = readonly [name: string, type: number];

export function template(
  single: readonly Part[],
  pair: readonly Part[],
  idOf: (token: string) => number,
): JsonObject {
  const isText = (name: string): boolean => name === '$A' || name === '$B';
  const json = (parts: readonly Part[]): JsonObject[] =>
    parts.map(([name, type_id]) =>
      isText(name)
        ? { Sequence: { id: name.slice(1), type_id } }
        : { SpecialToken: { id: name, type_id } },
    );
  const names = pair.map(([name]) => name).filter((name) => !isText(name));
  const special = (name: string): JsonObject => ({ id: name, ids: [idOf(name)], tokens: [name] });
  return {
    type: 'TemplateProcessing',
    single: json(single),
    pair: json(pair),
    special_tokens: Object.fromEntries(names.map((name) => [name, special(name)])),
  };
}

/** One text between two special tokens: how single texts look, and the beginning of every pair. */
export const surrounded = (cls: string, sep: string): readonly Part[] =>
  [cls, '$A', sep].map((name) => [name, 0]);

/** `[CLS] A [SEP]`, and for a pair `[CLS] A [SEP] B [SEP]` with a type for each text. */
export function bertTemplate(
  cls: string,
  sep: string,
  idOf: (token: string) => number,
): JsonObject {
  const single = surrounded(cls, sep);
  return template(single, [...single, ['$B', 1], [sep, 1]], idOf);
}
