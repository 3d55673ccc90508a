/** Folders of sentence-transformers: which steps make a sentence vector of a model's outputs. */
import { join } from 'node:path';
import { HeddleError, mismatch } from '../errors.js';
import { kindOf } from './file_reading.js';
import {
  describeJson,
  isFields,
  type JsonFields,
  ownField,
  readJson,
  readJsonObject,
  readJsonObjectIfThere,
} from './json_file.js';

export type PoolingMode =
  | 'cls'
  | 'max'
  | 'mean'
  | 'mean_sqrt_len_tokens'
  | 'weightedmean'
  | 'lasttoken';

export interface SentenceTransformersDescription {
  /** Whether there is a modules.json; without one, the rest is what a plain model folder means. */
  readonly isSentenceTransformers: boolean;
  /** Whether the first module is a table of token vectors and no transformer. */
  readonly isStatic: boolean;
  /** Where config.json, the weights and the tokenizer are. */
  readonly transformerFolder: string;
  /** More than one: their vectors one behind the other, in this order. */
  readonly pooling: readonly PoolingMode[];
  /** Whether a prompt's tokens take part in the pooling. */
  readonly includePrompt: boolean;
  readonly normalize: boolean;
  /** Tokens kept of a text, special ones included; undefined: as many as the model takes. */
  readonly maxLength: number | undefined;
  /** Whether texts are lower-cased before they are tokenised. */
  readonly lowerCase: boolean;
  /** Texts put before the input, by name. */
  readonly prompts: ReadonlyMap<string, string>;
  readonly defaultPrompt: string | undefined;
  /** 'cosine', 'dot', 'euclidean' or 'manhattan', where the folder says it. */
  readonly similarity: string | undefined;
  /** Python class of what is done to a cross-encoder's logit, where the folder says it. */
  readonly activation: string | undefined;
  /** Width of the model's outputs, where the folder says it. */
  readonly dimension: number | undefined;
}

/**
 * Reads modules.json and what it names. A folder without it is a plain Hugging Face model, for which
 * sentence-transformers pools by the mean and does not normalise.
 * @throws ERR_FORMAT, ERR_FILE, ERR_NOT_FOUND; ERR_UNSUPPORTED for modules such as Dense.
 */
export async function readSentenceTransformers(
  folder: string,
): Promise<SentenceTransformersDescription> {
  const modulesFile = join(folder, 'modules.json');
  const isSentenceTransformers = (await kindOf(modulesFile)) !== 'absent';
  const modules = isSentenceTransformers ? await readModules(modulesFile) : plainModules;

  const isStatic = modules[0]?.type === 'StaticEmbedding';
  let transformer: string | undefined;
  let pooling: Pooling | undefined;
  let normalize = false;
  for (const { type, path } of modules) {
    const where = `${modulesFile}: ${type}`;
    if ((type === 'Transformer' || type === 'StaticEmbedding') && transformer === undefined) {
      transformer = join(folder, path);
      // A static embedding pools by itself, always by the mean.
      if (isStatic) pooling = plainPooling;
    } else if (type === 'Pooling' && transformer !== undefined && pooling === undefined) {
      pooling = isSentenceTransformers
        ? await readPooling(join(folder, path, 'config.json'))
        : plainPooling;
    } else if (type === 'Normalize' && pooling !== undefined) {
      normalize = true;
    } else {
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `${where}: expected Transformer, Pooling and perhaps Normalize, in this order; found ` +
          modules.map((module) => module.type).join(', '),
        { where, found: type },
      );
    }
  }
  const settings = await readSettings(join(folder, 'config_sentence_transformers.json'));
  // A cross-encoder gives a score and no vector.
  if (settings.modelType === 'CrossEncoder') pooling ??= plainPooling;
  if (transformer === undefined || pooling === undefined) {
    const types = modules.map((module) => module.type).join(', ') || 'none';
    throw mismatch('ERR_FORMAT', modulesFile, 'a Transformer and a Pooling module', types);
  }
  return {
    isSentenceTransformers,
    isStatic,
    transformerFolder: transformer,
    pooling: pooling.modes,
    includePrompt: pooling.includePrompt,
    dimension: pooling.dimension,
    normalize,
    ...(await readLimits(transformer)),
    ...settings,
  };
}

export interface Module {
  /** The class, without its Python module, which has moved between versions. */
  type: string;
  path: string;
}

const plainModules: readonly Module[] = [
  { type: 'Transformer', path: '' },
  { type: 'Pooling', path: '' },
];

/** The steps that a modules.json names. @throws ERR_FORMAT, ERR_FILE, ERR_NOT_FOUND. */
export async function readModules(file: string): Promise<Module[]> {
  const list = await readJson(file);
  if (!Array.isArray(list)) throw mismatch('ERR_FORMAT', file, 'a list', describeJson(list));
  return list.map((entry: unknown, index) => {
    const where = `${file}: [${index}]`;
    const type = isFields(entry) ? ownField(entry, 'type') : undefined;
    const path = isFields(entry) ? ownField(entry, 'path') : undefined;
    if (typeof type !== 'string' || typeof path !== 'string') {
      throw mismatch('ERR_FORMAT', where, "'type' and 'path'", describeJson(entry));
    }
    // A path must not lead out of the checkpoint's folder.
    if (path !== '' && path !== '.' && !/^[\w-][\w.-]*$/.test(path)) {
      throw mismatch('ERR_FORMAT', `${where}: path`, 'the name of a folder', describeJson(path));
    }
    return { type: type.slice(type.lastIndexOf('.') + 1), path };
  });
}

interface Pooling {
  modes: PoolingMode[];
  includePrompt: boolean;
  dimension: number | undefined;
}

const plainPooling: Pooling = { modes: ['mean'], includePrompt: true, dimension: undefined };

/** Flag to mode, in the order in which the vectors of several modes are joined. */
const poolingFlags: readonly [flag: string, mode: PoolingMode, otherwise: boolean][] = [
  ['pooling_mode_cls_token', 'cls', false],
  ['pooling_mode_max_tokens', 'max', false],
  ['pooling_mode_mean_tokens', 'mean', true],
  ['pooling_mode_mean_sqrt_len_tokens', 'mean_sqrt_len_tokens', false],
  ['pooling_mode_weightedmean_tokens', 'weightedmean', false],
  ['pooling_mode_lasttoken', 'lasttoken', false],
];

async function readPooling(file: string): Promise<Pooling> {
  const fields = await readJsonObject(file);
  const dimension =
    ownField(fields, 'word_embedding_dimension') ?? ownField(fields, 'embedding_dimension');
  if (dimension !== undefined && !(Number.isSafeInteger(dimension) && (dimension as number) > 0)) {
    const where = `${file}: word_embedding_dimension`;
    throw mismatch('ERR_CONFIG', where, 'an integer of at least 1', describeJson(dimension));
  }
  return {
    modes: poolingModes(fields, file),
    includePrompt: booleanField(fields, 'include_prompt', true, file),
    dimension: dimension as number | undefined,
  };
}

/** Today's `pooling_mode` (a name, or a list of names) or the flags it was before. */
function poolingModes(fields: JsonFields, file: string): PoolingMode[] {
  const named = ownField(fields, 'pooling_mode');
  const known = poolingFlags.map(([, mode]) => mode);
  let modes: unknown[];
  if (named !== undefined) {
    modes = Array.isArray(named) ? named : [named];
  } else {
    modes = poolingFlags
      .filter(([flag, , otherwise]) => booleanField(fields, flag, otherwise, file))
      .map(([, mode]) => mode);
  }
  for (const mode of modes.length > 0 ? modes : [undefined]) {
    if (!known.includes(mode as PoolingMode)) {
      const where = `${file}: pooling_mode`;
      throw mismatch('ERR_CONFIG', where, `one of ${known.join(', ')}`, describeJson(mode));
    }
  }
  return known.filter((mode) => modes.includes(mode));
}

/** The file, `sentence_…_config.json`, has had the model's name in it. */
export const limitFiles = [
  'bert',
  'roberta',
  'distilbert',
  'camembert',
  'albert',
  'xlm-roberta',
  'xlnet',
];

async function readLimits(
  folder: string,
): Promise<{ maxLength: number | undefined; lowerCase: boolean }> {
  for (const name of limitFiles) {
    const file = join(folder, `sentence_${name}_config.json`);
    const fields = await readJsonObjectIfThere(file);
    if (fields === undefined) continue;
    const maxLength = ownField(fields, 'max_seq_length');
    if (
      maxLength !== undefined &&
      !(Number.isSafeInteger(maxLength) && (maxLength as number) > 0)
    ) {
      const where = `${file}: max_seq_length`;
      throw mismatch('ERR_CONFIG', where, 'an integer of at least 1', describeJson(maxLength));
    }
    return {
      maxLength: maxLength as number | undefined,
      lowerCase: booleanField(fields, 'do_lower_case', false, file),
    };
  }
  return { maxLength: undefined, lowerCase: false };
}

async function readSettings(file: string): Promise<{
  prompts: Map<string, string>;
  defaultPrompt: string | undefined;
  similarity: string | undefined;
  activation: string | undefined;
  modelType: string | undefined;
}> {
  const fields = (await readJsonObjectIfThere(file)) ?? {};
  const prompts = new Map<string, string>();
  const given = ownField(fields, 'prompts') ?? {};
  if (!isFields(given)) {
    throw mismatch('ERR_CONFIG', `${file}: prompts`, 'texts by name', describeJson(given));
  }
  for (const [name, text] of Object.entries(given)) {
    if (text === null) continue; // as Python writes a prompt that is not set
    if (typeof text !== 'string') {
      throw mismatch('ERR_CONFIG', `${file}: prompts: ${name}`, 'a string', describeJson(text));
    }
    prompts.set(name, text);
  }
  const defaultPrompt = stringField(fields, 'default_prompt_name', file);
  if (defaultPrompt !== undefined && !prompts.has(defaultPrompt)) {
    const names = [...prompts.keys()].join(', ') || 'none';
    throw mismatch(
      'ERR_CONFIG',
      `${file}: default_prompt_name`,
      `one of ${names}`,
      `'${defaultPrompt}'`,
    );
  }
  return {
    prompts,
    defaultPrompt,
    similarity: stringField(fields, 'similarity_fn_name', file),
    activation: stringField(fields, 'activation_fn', file),
    modelType: stringField(fields, 'model_type', file),
  };
}

function booleanField(fields: JsonFields, name: string, otherwise: boolean, file: string): boolean {
  const value = ownField(fields, name) ?? otherwise;
  if (typeof value !== 'boolean') {
    throw mismatch('ERR_CONFIG', `${file}: ${name}`, 'true or false', describeJson(value));
  }
  return value;
}

function stringField(fields: JsonFields, name: string, file: string): string | undefined {
  const value = ownField(fields, name);
  if (value !== undefined && typeof value !== 'string') {
    throw mismatch('ERR_CONFIG', `${file}: ${name}`, 'a string', describeJson(value));
  }
  return value;
}
