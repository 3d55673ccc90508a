/**
 * Folders without a tokenizer.json: the same object is made from the older files, as transformers'
 * convert_slow_tokenizer.py (4.57) does when such a folder is opened in Python.
 */
import { join } from 'node:path';
import { HeddleError } from '../errors.js';
import { convertBytePairs } from './byte_pair_files.js';
import type { Conversion, ConversionInput } from './conversion.js';
import { readBytesIfThere, readObjectIfThere } from './optional_files.js';
import { convertSentencePiece } from './sentence_piece_files.js';
import { AddedTokenList, gatherTokens } from './special_tokens.js';
import {
  classOfModel,
  type Role,
  type TokenizerClass,
  tokenizerClasses,
  vocabularyFileNames,
} from './tokenizer_classes.js';
import { describe, type JsonObject, own } from './tokenizer_json.js';
import { convertWordPiece } from './word_piece_files.js';

/** tokenizer_config.json and special_tokens_map.json; undefined where there is none. */
export interface TokenizerConfigs {
  readonly config: JsonObject | undefined;
  readonly map: JsonObject | undefined;
}

export interface ConvertedFiles {
  /** As of a tokenizer.json. */
  readonly json: JsonObject;
  readonly specialTokens: ReadonlyMap<Role, string>;
}

const converters: Readonly<Record<TokenizerClass['kind'], (input: ConversionInput) => Conversion>> =
  {
    WordPiece: convertWordPiece,
    BytePair: convertBytePairs,
    SentencePiece: convertSentencePiece,
  };

/**
 * @returns undefined where the folder has no vocabulary of any kind.
 * @throws ERR_UNSUPPORTED for a class that is not here; ERR_FORMAT, naming file and line or byte; ERR_FILE.
 */
export async function readVocabularyFiles(
  folder: string,
  configs: TokenizerConfigs,
): Promise<ConvertedFiles | undefined> {
  const there = new Map<string, Buffer>();
  for (const name of vocabularyFileNames) {
    const bytes = await readBytesIfThere(join(folder, name));
    if (bytes !== undefined) there.set(name, bytes);
  }
  if (there.size === 0) return undefined;
  const className = await classNameOf(folder, configs);
  const class_ = tokenizerClasses.get(className);
  if (class_ === undefined) throw unsupported(folder, className, [...there.keys()]);
  const files = new Map<string, Buffer>();
  for (const name of class_.files) {
    const bytes = there.get(name);
    if (bytes === undefined) throw missing(folder, className, class_.files, [...there.keys()]);
    files.set(name, bytes);
  }

  const added = await readObjectIfThere(join(folder, 'added_tokens.json'));
  const { ofRole, additions } = gatherTokens(class_, { folder, added, ...configs });
  const config = configs.config ?? {};
  const conversion = converters[class_.kind]({
    folder,
    className,
    files,
    config,
    specialTokens: ofRole,
  });
  const tokens = new AddedTokenList(conversion.idOf, conversion.size);
  for (const token of conversion.addedTokens) tokens.add(token);
  for (const token of additions((content) => tokens.has(content))) tokens.add(token);
  const idOf = (token: string): number => {
    const id = tokens.idOf(token) ?? tokens.idOf(ofRole.get('unk') ?? '');
    if (id !== undefined) return id;
    const found = `no '${token}'`;
    throw new HeddleError('ERR_FORMAT', `${folder}: expected its special tokens, found ${found}`, {
      where: folder,
      found,
    });
  };
  const json = {
    added_tokens: tokens.toJson(),
    normalizer: conversion.normalizer,
    pre_tokenizer: conversion.preTokenizer,
    post_processor: conversion.postProcessor(idOf),
    decoder: conversion.decoder,
    model: conversion.model,
  };
  return { json, specialTokens: ofRole };
}

/** What the files name, else the usual one of the model; without `Fast`. */
async function classNameOf(folder: string, { config }: TokenizerConfigs): Promise<string> {
  const model = (await readObjectIfThere(join(folder, 'config.json'))) ?? {};
  for (const source of [config ?? {}, model]) {
    const named = own(source, 'tokenizer_class');
    if (typeof named === 'string') return named.replace(/Fast$/, '');
  }
  const type = own(model, 'model_type');
  return classOfModel.get(type) ?? `none, and model_type ${describe(type)}`;
}

const remedy =
  'in Python, AutoTokenizer.from_pretrained(…).save_pretrained(folder) writes a tokenizer.json, which Heddle reads';

function unsupported(folder: string, className: string, files: readonly string[]): HeddleError {
  const expected = [...tokenizerClasses.keys()].join(', ');
  return new HeddleError(
    'ERR_UNSUPPORTED',
    `${folder}: no tokenizer.json, and of ${files.join(' and ')} one is made for a tokenizer_class of ${expected}; ` +
      `found ${className}; ${remedy}`,
    { where: folder, expected, found: className },
  );
}

function missing(
  folder: string,
  className: string,
  expectedFiles: readonly string[],
  files: readonly string[],
): HeddleError {
  const expected = expectedFiles.join(' and ');
  const found = files.join(' and ');
  return new HeddleError(
    'ERR_FORMAT',
    `${folder}: expected ${expected} for its ${className}, found ${found}; ${remedy}`,
    { where: folder, expected, found },
  );
}
