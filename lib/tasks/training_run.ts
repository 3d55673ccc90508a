/** From the file that describes a training run to its model, data and options. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readConfig } from '../checkpoints/config.js';
import { fileError, kindOf } from '../checkpoints/file_reading.js';
import { isFields, type JsonFields, ownField } from '../checkpoints/json_file.js';
import { HeddleError, mismatch } from '../errors.js';
import { dropoutRates } from '../layers/train_mode.js';
import { architectureOf, architecturesWith, hasHead } from '../models/registry.js';
import { type Pooling, poolings } from '../ops/pool.js';
import {
  characterTokenizer,
  plainTokenizerConfig,
  wordTokenizer,
} from '../text/plain_tokenizers.js';
import { Tokenizer } from '../text/tokenizer.js';
import { type GroupRule, groupParameters } from '../train/parameter_groups.js';
import { freshAdapter, type LoraOptions } from './adapter.js';
import { labelFields } from './fresh_head.js';
import { freshTrainable, loadTrainable, TrainableModel } from './load_trainable.js';
import type { Companions } from './save_model.js';
import { embedderFiles } from './sentence_folder.js';
import type { TrainingTask, TrainOptions } from './train.js';
import {
  freshTransformer,
  loadTransformer,
  TrainableTransformer,
} from './trainable_transformer.js';
import { trainedWeights } from './trained_weights.js';
import { readTrainingConfig, type TrainingConfig } from './training_config.js';
import {
  labelledExamples,
  languageModelExamples,
  maskedExamples,
  sequencePairs,
  type TextSettings,
  textPairs,
} from './training_examples.js';
import { inConfig, optimizerOf, scheduleOf } from './training_methods.js';
import { pairsOf, readTrainingText } from './training_text.js';

/** What `train` is called with, and what its user is told. */
export interface TrainingRun {
  readonly config: TrainingConfig;
  readonly model: TrainableModel | TrainableTransformer;
  readonly data: readonly never[];
  readonly options: TrainOptions;
}

/** Files of a tokenizer, as transformers names them. */
const tokenizerFile =
  /^(tokenizer.*\.(json|model)|special_tokens_map\.json|added_tokens\.json|vocab\.(txt|json)|merges\.txt|.*\.(spm|model)|generation_config\.json|chat_template\.jinja)$/;

/** Reads a run's file, its texts and its model. @throws ERR_CONFIG naming the key, ERR_INPUT and ERR_FORMAT naming the line. */
export async function openTrainingRun(path: string, signal?: AbortSignal): Promise<TrainingRun> {
  const config = await readTrainingConfig(path);
  const { steps, learningRate, optimizer, dropout = 0 } = config;
  const methods = {
    optimizer: optimizerOf(optimizer, `${path}: optimizer`),
    learningRate: scheduleOf(learningRate, steps, `${path}: learningRate`),
  };
  inConfig(`${path}: dropout`, () => dropoutRates(dropout, 'dropout'));
  const { lora } = config;
  if (lora) inConfig(`${path}: lora`, () => freshAdapter(adapterOf(lora, config.seed)));
  if (config.pooling !== undefined && !poolings.includes(config.pooling as never)) {
    const where = `${path}: pooling`;
    throw mismatch('ERR_CONFIG', where, `one of ${poolings.join(', ')}`, `'${config.pooling}'`);
  }
  if (typeof config.model === 'string' && (await kindOf(config.model)) !== 'folder') {
    throw mismatch('ERR_CONFIG', `${path}: model`, "a model's folder", config.model);
  }
  const text = await readTrainingText(config.data);
  const other =
    typeof config.evaluation === 'string' ? await readTrainingText(config.evaluation) : undefined;
  const last = config.test === undefined ? undefined : await readTrainingText(config.test);
  const { tokenizer, companions } = await tokenizerOf(config, [text, other ?? '']);
  const labels = config.task === 'classification' ? await labelsOf(config, text) : undefined;
  const model = await modelOf(config, tokenizer, labels, path);
  try {
    const parameters = trainedWeights(model).stored();
    inConfig(path, () =>
      groupParameters(
        parameters.map(({ state }) => state),
        config.groups as readonly GroupRule[] | undefined,
      ),
    );
    const contextLength = contextOf(config, model, path);
    const at = (file: string): TextSettings => ({ tokenizer, path: file, contextLength, signal });
    const all = await examplesOf(config, text, at(config.data), labels);
    const evaluation =
      typeof config.evaluation === 'string'
        ? await examplesOf(config, other ?? '', at(config.evaluation), labels)
        : undefined;
    const kept = typeof config.evaluation === 'number' ? config.evaluation : 0;
    const count = kept === 0 ? 0 : Math.max(1, Math.round(all.length * kept));
    const data = all.slice(0, all.length - count);
    const judged = evaluation ?? (count > 0 ? all.slice(-count) : undefined);
    const test =
      config.test === undefined
        ? undefined
        : await examplesOf(config, last ?? '', at(config.test), labels);
    const { task } = config;
    const maskId = tokenizer.specialIds.mask;
    if (task === 'masked-language-model' && maskId === undefined) {
      throw mismatch('ERR_CONFIG', `${path}: task`, 'a tokenizer with a mask token', 'none');
    }
    const embeds = task === 'contrastive' && model instanceof TrainableModel && !model.adapter;
    const sentenceFiles = embeds
      ? embedderFiles({
          pooling: (config.pooling ?? 'mean') as Pooling,
          dimension: model.network.hiddenSize,
          maxLength: contextLength,
        })
      : [];
    const options = {
      task: task as TrainingTask,
      steps,
      ...methods,
      seed: config.seed,
      folder: config.output,
      companions: new Map([...companions, ...sentenceFiles]),
      ...picked(config),
      ...(judged ? { evaluation: judged as never[] } : {}),
      ...(test ? { test: test as never[] } : {}),
      ...(maskId === undefined || task !== 'masked-language-model'
        ? {}
        : { masking: { maskId, kept: specialIdsOf(tokenizer), rate: config.maskRate } }),
    } as TrainOptions;
    return { config, model, data: data as never[], options };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** Keys that are options of `train` by the same name. */
const passed = [
  'batchTokens',
  'batchExamples',
  'accumulate',
  'groups',
  'clipNorm',
  'average',
  'dropout',
  'dtype',
  'smoothing',
  'temperature',
  'pooling',
  'exactMatch',
  'evaluateEvery',
  'patience',
  'checkpointEvery',
  'keepNewest',
  'keepBest',
] as const;

const picked = (config: TrainingConfig): Record<string, unknown> =>
  Object.fromEntries(
    passed.flatMap((key) => (config[key] === undefined ? [] : [[key, config[key]]])),
  );

const specialIdsOf = (tokenizer: Tokenizer): Set<number> =>
  new Set(Object.values(tokenizer.specialIds).filter((id) => id !== undefined));

/** The tokenizer, and its files for the folders of models. */
async function tokenizerOf(
  { tokenizer: kind, model }: TrainingConfig,
  texts: readonly string[],
): Promise<{ tokenizer: Tokenizer; companions: Companions }> {
  if (kind === 'characters' || kind === 'words') {
    const json = kind === 'characters' ? characterTokenizer(texts) : wordTokenizer(texts);
    const settings = {
      specialTokens: new Map(
        (['pad', 'unk', 'eos', 'mask'] as const).map((role) => [
          role,
          String(plainTokenizerConfig[`${role}_token`]),
        ]),
      ),
      modelMaxLength: undefined,
      truncationSide: 'right' as const,
      config: plainTokenizerConfig,
    };
    const bytes = (value: unknown): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`);
    return {
      tokenizer: new Tokenizer(json, `tokenizer '${kind}'`, settings),
      companions: new Map([
        ['tokenizer.json', bytes(json)],
        ['tokenizer_config.json', bytes(plainTokenizerConfig)],
      ]),
    };
  }
  const source = kind ?? String(model);
  const tokenizer = await Tokenizer.load(source);
  const isFolder = (await kindOf(source)) === 'folder';
  const names = isFolder ? await readdir(source) : [basename(source)];
  const companions = new Map<string, Uint8Array>();
  try {
    for (const name of names.filter((file) => tokenizerFile.test(file))) {
      const path = isFolder ? join(source, name) : source;
      companions.set(isFolder ? name : 'tokenizer.json', await readFile(path));
    }
  } catch (cause) {
    throw fileError(source, cause);
  }
  return { tokenizer, companions };
}

async function modelOf(
  config: TrainingConfig,
  tokenizer: Tokenizer,
  labels: readonly string[] | undefined,
  path: string,
): Promise<TrainableModel | TrainableTransformer> {
  const { model, task, seed } = config;
  const where = `${path}: model`;
  const translates = task === 'sequence-to-sequence';
  if (typeof model === 'string') {
    if (translates) return loadTransformer(model);
    const { lora } = config;
    const adapter = lora ? { adapter: adapterOf(lora, seed) } : {};
    if (labels && (await lacksClassifier(model))) {
      return loadTrainable(model, { ...adapter, labels, seed });
    }
    return loadTrainable(model, adapter);
  }
  if (!translates) checkNamed(model, task, where);
  const { pad = 0, eos } = tokenizer.specialIds;
  const fields: JsonFields = {
    vocab_size: tokenizer.idBound,
    // Left out, Python takes the id of the family's own vocabulary.
    bos_token_id: tokenizer.specialIds.bos ?? null,
    ...(eos === undefined ? {} : { eos_token_id: eos }),
    ...(tokenizer.specialIds.pad === undefined ? {} : { pad_token_id: pad }),
    ...(translates ? { decoder_start_token_id: pad } : {}),
    ...(labels ? labelFields(labels) : {}),
    ...model,
  };
  const size = ownField(fields, 'vocab_size');
  if (!(typeof size === 'number' && size >= tokenizer.idBound)) {
    const expected = `at least the ${tokenizer.idBound} ids of the tokenizer, or no such field`;
    throw mismatch('ERR_CONFIG', `${where}.vocab_size`, expected, String(size));
  }
  return translates ? freshTransformer(fields, seed, where) : freshTrainable(fields, seed, where);
}

/** Without the name of a class, a model has no head to be trained by; an embedder needs none. @throws ERR_CONFIG with the names there are. */
function checkNamed(
  model: JsonFields,
  task: Exclude<TrainingTask, 'sequence-to-sequence'>,
  where: string,
): void {
  const named = ownField(model, 'architectures');
  if (named !== undefined && !(Array.isArray(named) && named.length === 0)) return;
  const names = architecturesWith(headOf[task], ownField(model, 'model_type'));
  const [first] = names;
  if (task === 'contrastive' && names.length === 1) return;
  const expected =
    names.length === 1 ? `["${first}"]` : `one of ${names.join(', ')}, as ["${first}"]`;
  throw mismatch(
    'ERR_CONFIG',
    `${where}.architectures`,
    expected,
    named ? 'an empty list' : 'nothing',
  );
}

/** What a task trains a model by. */
const headOf = {
  'language-model': 'causalLm',
  'masked-language-model': 'maskedLm',
  classification: 'sequenceClassification',
  contrastive: 'base',
} as const;

const adapterOf = (lora: JsonFields, seed: number): LoraOptions =>
  ({ seed, ...lora }) as unknown as LoraOptions;

/** Whether a checkpoint has no head that classifies texts. */
async function lacksClassifier(folder: string): Promise<boolean> {
  const { architectures, modelType } = await readConfig(folder);
  return !hasHead(architectureOf(architectures, modelType).name, 'sequenceClassification');
}

/** The names of a classifier's classes, in their order, or those that the data has. */
async function labelsOf({ model, data }: TrainingConfig, text: string): Promise<string[]> {
  const found = new Set(pairsOf(text, data, ['text', 'label']).map(({ second }) => second));
  const sorted = [...found].sort();
  if (typeof model === 'string' && (await lacksClassifier(model))) return sorted;
  const fields = typeof model === 'string' ? (await readConfig(model)).fields : model;
  const names = ownField(fields, 'id2label');
  return isFields(names) ? Object.values(names).map(String) : sorted;
}

function contextOf(
  config: TrainingConfig,
  model: TrainableModel | TrainableTransformer,
  path: string,
): number {
  const most = model instanceof TrainableTransformer ? model.maxLength : model.network.maxLength;
  const { contextLength = Math.min(most, 256) } = config;
  if (contextLength <= most) return contextLength;
  const where = `${path}: contextLength`;
  throw mismatch(
    'ERR_CONFIG',
    where,
    `at most ${most}, the positions of the model`,
    `${contextLength}`,
  );
}

function examplesOf(
  { task }: TrainingConfig,
  text: string,
  settings: TextSettings,
  labels: readonly string[] = [],
): Promise<readonly unknown[]> {
  switch (task) {
    case 'language-model':
      return languageModelExamples(text, settings);
    case 'masked-language-model':
      return maskedExamples(text, settings);
    case 'sequence-to-sequence':
      return sequencePairs(text, settings);
    case 'classification':
      return labelledExamples(pairsOf(text, settings.path, ['text', 'label']), labels, settings);
    case 'contrastive':
      return textPairs(text, settings);
    default:
      throw new HeddleError('ERR_CONFIG', `task: '${task as string}'`);
  }
}
