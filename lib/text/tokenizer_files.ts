/** Reads tokenizer.json, or the older files in its place, and what lies beside it. */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HeddleError } from '../errors.js';
import { readObjectIfThere, readTextIfThere } from './optional_files.js';
import { type Role, roles, vocabularyFileNames } from './tokenizer_classes.js';
import { isObject, type JsonObject, own, parseObject } from './tokenizer_json.js';
import { readVocabularyFiles } from './vocabulary_files.js';

/** Ids of the tokens with a role; undefined where the model has none. */
export type SpecialIds = { readonly [role in Role]: number | undefined };

/** What the files beside tokenizer.json say; see `readTokenizerFiles`. */
export interface TokenizerSettings {
  /** Role (pad, cls …) to token. */
  readonly specialTokens: ReadonlyMap<Role, string>;
  /** The longest sequence the model takes, when one is stated. */
  readonly modelMaxLength: number | undefined;
  readonly truncationSide: 'left' | 'right';
  /** tokenizer_config.json as it is; empty where there is none. */
  readonly config: JsonObject;
}

export interface TokenizerFiles {
  /** Of tokenizer.json; of the folder where there is none. */
  readonly path: string;
  readonly json: JsonObject;
  readonly settings: TokenizerSettings;
}

/**
 * @param folderOrFile a folder with a tokenizer.json or older vocabulary files, or a tokenizer.json.
 * @throws ERR_NOT_FOUND, ERR_FILE, ERR_FORMAT; ERR_UNSUPPORTED for older files of a class that is not here.
 */
export async function readTokenizerFiles(folderOrFile: string): Promise<TokenizerFiles> {
  const isFolder = await isDirectory(folderOrFile);
  const path = isFolder ? join(folderOrFile, 'tokenizer.json') : folderOrFile;
  const text = await readTextIfThere(path);
  if (text === undefined && !isFolder) {
    const message = `${path}: no such file; a tokenizer.json is needed`;
    throw new HeddleError('ERR_NOT_FOUND', message, { where: path });
  }
  const json = text === undefined ? undefined : parseObject(text, path);
  const folder = dirname(path);
  const config = await readObjectIfThere(join(folder, 'tokenizer_config.json'));
  const map = await readObjectIfThere(join(folder, 'special_tokens_map.json'));
  if (json !== undefined) {
    return { path, json, settings: settingsOf(specialTokensOf(config, map, json), config) };
  }
  const converted = await readVocabularyFiles(folder, { config, map });
  if (converted === undefined) {
    const expected = `tokenizer.json, ${vocabularyFileNames.join(', ')}`;
    const message = `${folder}: no tokenizer; expected one of ${expected}`;
    throw new HeddleError('ERR_NOT_FOUND', message, { where: folder, expected });
  }
  const { specialTokens } = converted;
  return { path: folder, json: converted.json, settings: settingsOf(specialTokens, config) };
}

/** What BERT and RoBERTa call the roles, for a tokenizer.json that stands alone. */
const usualTokens: Record<Role, readonly string[]> = {
  pad: ['[PAD]', '<pad>'],
  cls: ['[CLS]', '<s>'],
  sep: ['[SEP]', '</s>'],
  mask: ['[MASK]', '<mask>'],
  bos: ['<s>'],
  eos: ['</s>'],
  unk: ['[UNK]', '<unk>'],
};

function specialTokensOf(
  config: JsonObject | undefined,
  map: JsonObject | undefined,
  json: JsonObject,
): Map<Role, string> {
  const specialTokens = new Map<Role, string>();
  const alone = config === undefined && map === undefined ? specialContents(json) : new Set();
  for (const role of roles) {
    const key = `${role}_token`;
    const named = contentOf(config && own(config, key)) ?? contentOf(map && own(map, key));
    const token = named ?? usualTokens[role].find((usual) => alone.has(usual));
    if (token !== undefined) specialTokens.set(role, token);
  }
  return specialTokens;
}

function settingsOf(
  specialTokens: ReadonlyMap<Role, string>,
  config: JsonObject | undefined,
): TokenizerSettings {
  const limit = config && own(config, 'model_max_length');
  // A tokenizer without a limit is saved with int(1e30).
  const hasLimit = typeof limit === 'number' && Number.isSafeInteger(limit) && limit > 0;
  return {
    specialTokens,
    modelMaxLength: hasLimit ? limit : undefined,
    truncationSide: config && own(config, 'truncation_side') === 'left' ? 'left' : 'right',
    config: config ?? {},
  };
}

/** A token as a string, or as an object of an added token. */
function contentOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  const content = isObject(value) ? own(value, 'content') : undefined;
  return typeof content === 'string' ? content : undefined;
}

function specialContents(json: JsonObject): Set<unknown> {
  const added = own(json, 'added_tokens');
  return new Set(Array.isArray(added) ? added.map(contentOf) : []);
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false; // reading it will say what is wrong
  }
}
