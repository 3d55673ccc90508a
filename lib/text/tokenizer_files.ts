/** Reads tokenizer.json and what lies beside it. */
import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HeddleError } from '../errors.js';
import { isObject, type JsonObject, own, parseObject } from './tokenizer_json.js';

/** Ids of the tokens with a role; undefined where the model has none. */
export interface SpecialIds {
  readonly pad: number | undefined;
  readonly cls: number | undefined;
  readonly sep: number | undefined;
  readonly mask: number | undefined;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly unk: number | undefined;
}

/** What the files beside tokenizer.json say; see `readTokenizerFiles`. */
export interface TokenizerSettings {
  /** Role (pad, cls …) to token. */
  readonly specialTokens: ReadonlyMap<keyof SpecialIds, string>;
  /** The longest sequence the model takes, when one is stated. */
  readonly modelMaxLength: number | undefined;
  readonly truncationSide: 'left' | 'right';
}

export interface TokenizerFiles {
  /** Of tokenizer.json. */
  readonly path: string;
  readonly json: JsonObject;
  readonly settings: TokenizerSettings;
}

/** Larger than any vocabulary known (Gemma's is 33 MB), small enough to parse. */
const largestFile = 256 * 2 ** 20;

/**
 * @param folderOrFile a folder with a tokenizer.json, or such a file.
 * @throws ERR_NOT_FOUND, ERR_FILE, ERR_FORMAT.
 */
export async function readTokenizerFiles(folderOrFile: string): Promise<TokenizerFiles> {
  const isFolder = await isDirectory(folderOrFile);
  const path = isFolder ? join(folderOrFile, 'tokenizer.json') : folderOrFile;
  const text = await readTextIfThere(path);
  if (text === undefined) {
    throw new HeddleError('ERR_NOT_FOUND', `${path}: no such file; a tokenizer.json is needed`, {
      where: path,
    });
  }
  const json = parseObject(text, path);
  const folder = dirname(path);
  const config = await readObjectIfThere(join(folder, 'tokenizer_config.json'));
  const map = await readObjectIfThere(join(folder, 'special_tokens_map.json'));
  return { path, json, settings: settingsOf(config, map, json) };
}

const roles = ['pad', 'cls', 'sep', 'mask', 'bos', 'eos', 'unk'] as const;

/** What BERT and RoBERTa call the roles, for a tokenizer.json that stands alone. */
const usualTokens: Record<keyof SpecialIds, readonly string[]> = {
  pad: ['[PAD]', '<pad>'],
  cls: ['[CLS]', '<s>'],
  sep: ['[SEP]', '</s>'],
  mask: ['[MASK]', '<mask>'],
  bos: ['<s>'],
  eos: ['</s>'],
  unk: ['[UNK]', '<unk>'],
};

function settingsOf(
  config: JsonObject | undefined,
  map: JsonObject | undefined,
  json: JsonObject,
): TokenizerSettings {
  const specialTokens = new Map<keyof SpecialIds, string>();
  const alone = config === undefined && map === undefined ? specialContents(json) : new Set();
  for (const role of roles) {
    const key = `${role}_token`;
    const named = contentOf(config && own(config, key)) ?? contentOf(map && own(map, key));
    const token = named ?? usualTokens[role].find((usual) => alone.has(usual));
    if (token !== undefined) specialTokens.set(role, token);
  }
  const limit = config && own(config, 'model_max_length');
  // A tokenizer without a limit is saved with int(1e30).
  const hasLimit = typeof limit === 'number' && Number.isSafeInteger(limit) && limit > 0;
  return {
    specialTokens,
    modelMaxLength: hasLimit ? limit : undefined,
    truncationSide: config && own(config, 'truncation_side') === 'left' ? 'left' : 'right',
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

export async function readObjectIfThere(path: string): Promise<JsonObject | undefined> {
  const text = await readTextIfThere(path);
  return text === undefined ? undefined : parseObject(text, path);
}

export async function readTextIfThere(path: string): Promise<string | undefined> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK (which Windows does not have), opening a FIFO would wait for a writer.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const status = await file.stat();
    if (!status.isFile()) {
      throw new HeddleError('ERR_FILE', `${path}: expected a file, found something else`, {
        where: path,
      });
    }
    const { size } = status;
    if (size > largestFile) {
      throw new HeddleError(
        'ERR_FORMAT',
        `${path}: ${size} bytes, more than ${largestFile} allowed`,
        {
          where: path,
        },
      );
    }
    return (await file.readFile()).toString(); // four times as fast as decoding while reading
  } catch (cause) {
    if (cause instanceof HeddleError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new HeddleError('ERR_FILE', `${path}: cannot be read: ${message}`, {
      where: path,
      cause,
    });
  } finally {
    await file?.close();
  }
}
