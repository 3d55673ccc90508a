/** The JSON file that describes a training run: what is in it, and what contradicts. */
import { dirname, resolve } from 'node:path';
import {
  describeJson,
  isFields,
  type JsonFields,
  readJsonObject,
} from '../checkpoints/json_file.js';
import { HeddleError, mismatch } from '../errors.js';
import type { Dropout } from '../layers/train_mode.js';
import { type Compute, computes } from '../ops/index.js';
import { nearest } from './nearest.js';

export const trainingTasks = [
  'language-model',
  'masked-language-model',
  'sequence-to-sequence',
  'classification',
  'contrastive',
] as const;

export interface TrainingConfig {
  readonly task: (typeof trainingTasks)[number];
  /** A folder to begin from, or the config.json of a new model. */
  readonly model: string | JsonFields;
  /** Options of an adapter that is trained in place of the model. */
  readonly lora?: JsonFields;
  /** `characters`, `words`, or a folder or tokenizer.json. */
  readonly tokenizer?: string;
  readonly data: string;
  /** A file, or the share at the end of the data that is kept back. */
  readonly evaluation?: string | number;
  /** A file that the result is judged on. */
  readonly test?: string;
  readonly output: string;
  readonly steps: number;
  readonly seed: number;
  readonly contextLength?: number;
  readonly batchTokens?: number;
  readonly batchExamples?: number;
  readonly accumulate?: number;
  readonly optimizer: JsonFields;
  readonly learningRate: number | JsonFields;
  readonly groups?: readonly JsonFields[];
  readonly clipNorm?: number;
  readonly average?: number;
  readonly dropout?: Dropout;
  readonly dtype?: Compute;
  readonly smoothing?: number;
  readonly maskRate?: number;
  readonly temperature?: number;
  readonly pooling?: string;
  readonly exactMatch?: boolean;
  readonly evaluateEvery?: number;
  readonly patience?: number;
  readonly checkpointEvery?: number;
  readonly keepNewest?: number;
  readonly keepBest?: number;
  readonly logEvery: number;
}

type Check = (value: unknown) => boolean;
const isNumber =
  (min: number, max = Infinity): Check =>
  (value) =>
    typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max;
const isInteger =
  (min: number): Check =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= min && (value as number) < 2 ** 31;
const isText: Check = (value) => typeof value === 'string' && value !== '';
const size: [Check, string] = [isInteger(1), 'a whole number from 1'];
const share: [Check, string] = [isNumber(0, 1), 'a number from 0 to 1'];
const file: [Check, string] = [isText, 'a path'];

/** Each key's check, and what messages expect. */
const keys: Readonly<Record<keyof TrainingConfig, readonly [Check, string]>> = {
  task: [(value) => trainingTasks.includes(value as never), `one of ${trainingTasks.join(', ')}`],
  model: [(value) => isText(value) || isFields(value), "a folder, or a config.json's fields"],
  lora: [isFields, 'an object with targetModules'],
  tokenizer: [isText, "'characters', 'words' or a path"],
  data: file,
  evaluation: [
    (value) => isText(value) || (isNumber(0, 0.5)(value) && value !== 0),
    'a path, or a share above 0, at most 0.5',
  ],
  test: file,
  output: file,
  steps: size,
  seed: [isInteger(0), 'a whole number from 0'],
  contextLength: [isInteger(2), 'a whole number from 2'],
  batchTokens: size,
  batchExamples: size,
  accumulate: size,
  optimizer: [isFields, 'an object with a name'],
  learningRate: [
    (value) => isNumber(0)(value) || isFields(value),
    'a number from 0, or an object with a schedule',
  ],
  groups: [(value) => Array.isArray(value) && value.every(isFields), 'a list of objects'],
  clipNorm: [isNumber(0), 'a number from 0'],
  average: [isNumber(0, 0.9999999), 'a number from 0 to below 1'],
  dropout: [
    (value) => isNumber(0)(value) || isFields(value),
    'a number from 0 to below 1, or an object with embedding, residual and activation',
  ],
  dtype: [(value) => computes.includes(value as Compute), `one of ${computes.join(', ')}`],
  smoothing: share,
  maskRate: share,
  temperature: [isNumber(1e-6), 'a number above 0'],
  pooling: [isText, 'the name of a pooling'],
  exactMatch: [(value) => typeof value === 'boolean', 'true or false'],
  evaluateEvery: size,
  patience: size,
  checkpointEvery: size,
  keepNewest: size,
  keepBest: [isInteger(0), 'a whole number from 0'],
  logEvery: size,
};

const required = ['task', 'model', 'data', 'output', 'steps'] as const;

/** Which tasks a key is of, where it is not of all. */
const ofTasks: Readonly<Partial<Record<keyof TrainingConfig, readonly TrainingConfig['task'][]>>> =
  {
    maskRate: ['masked-language-model'],
    temperature: ['contrastive'],
    pooling: ['contrastive'],
    smoothing: ['language-model', 'sequence-to-sequence', 'classification'],
    exactMatch: ['language-model', 'sequence-to-sequence'],
    lora: ['language-model', 'masked-language-model', 'classification', 'contrastive'],
    batchTokens: [
      'language-model',
      'masked-language-model',
      'sequence-to-sequence',
      'classification',
    ],
    accumulate: [
      'language-model',
      'masked-language-model',
      'sequence-to-sequence',
      'classification',
    ],
  };

/** Reads and checks the file. Paths in it are relative to its folder. @throws ERR_CONFIG, naming the key; what reading throws. */
export async function readTrainingConfig(path: string): Promise<TrainingConfig> {
  const fields = await readJsonObject(path);
  const fail = (key: string, expected: string, found: string): HeddleError =>
    mismatch('ERR_CONFIG', `${path}: ${key}`, expected, found);
  for (const [key, value] of Object.entries(fields)) {
    if (!Object.hasOwn(keys, key)) {
      const other = nearest(key, Object.keys(keys));
      const hint = other === undefined ? `one of ${Object.keys(keys).join(', ')}` : `'${other}'`;
      throw fail(key, `${hint}${other === undefined ? '' : ', perhaps'}`, 'an unknown key');
    }
    const [check, expected] = keys[key as keyof TrainingConfig];
    if (!check(value)) throw fail(key, expected, describeJson(value));
  }
  for (const key of required) {
    if (!Object.hasOwn(fields, key)) throw fail(key, keys[key][1], 'nothing');
  }
  const given = { ...defaults, ...fields } as unknown as TrainingConfig;
  checkTogether(given, fields, path);
  const folder = dirname(resolve(path));
  const at = (place: string): string => resolve(folder, place);
  const { model, tokenizer, evaluation, test } = given;
  return {
    ...given,
    data: at(given.data),
    output: at(given.output),
    ...(typeof model === 'string' ? { model: at(model) } : {}),
    ...(typeof evaluation === 'string' ? { evaluation: at(evaluation) } : {}),
    ...(test === undefined ? {} : { test: at(test) }),
    ...(tokenizer === undefined || tokenizer === 'characters' || tokenizer === 'words'
      ? {}
      : { tokenizer: at(tokenizer) }),
  };
}

const defaults = { seed: 0, logEvery: 10, optimizer: { name: 'adamW' }, learningRate: 1e-3 };

/** Keys that are right by themselves and not beside each other. */
function checkTogether(config: TrainingConfig, fields: JsonFields, path: string): void {
  const contradiction = (key: string, reason: string): HeddleError =>
    new HeddleError('ERR_CONFIG', `${path}: ${key}: ${reason}`, { where: `${path}: ${key}` });
  for (const [key, tasks] of Object.entries(ofTasks)) {
    if (Object.hasOwn(fields, key) && !tasks.includes(config.task)) {
      throw contradiction(key, `contradicts task '${config.task}'; it is of ${tasks.join(', ')}`);
    }
  }
  if (config.evaluation === undefined) {
    for (const key of ['evaluateEvery', 'patience', 'keepBest']) {
      if (Object.hasOwn(fields, key)) throw contradiction(key, "is of no use without 'evaluation'");
    }
    if (Object.hasOwn(fields, 'exactMatch') && config.test === undefined) {
      throw contradiction('exactMatch', "is of no use without 'evaluation' or 'test'");
    }
  }
  if (typeof config.model === 'string' && config.tokenizer !== undefined) {
    throw contradiction('tokenizer', "contradicts 'model', a folder with its own tokenizer");
  }
  if (typeof config.model !== 'string' && config.tokenizer === undefined) {
    throw contradiction('tokenizer', "is needed beside the config of a new 'model'");
  }
  if (typeof config.model !== 'string' && config.lora !== undefined) {
    throw contradiction('lora', "contradicts a new 'model': an adapter is of one that is there");
  }
  if (config.patience !== undefined && (config.evaluateEvery ?? 100) > config.steps) {
    throw contradiction('patience', "is of no use where 'evaluateEvery' is beyond 'steps'");
  }
  if (config.accumulate !== undefined && config.accumulate > (config.batchTokens ?? 2048)) {
    throw contradiction('accumulate', "has more parts than 'batchTokens' has tokens");
  }
}
