/** LoRA adapters over a checkpoint: opened from peft's files, or fresh, to be trained. */
import { join } from 'node:path';
import {
  type AdapterFiles,
  isModule,
  lowRankPart,
  readAdapter,
} from '../checkpoints/adapter_files.js';
import { Config, readConfig } from '../checkpoints/config.js';
import { kindOf } from '../checkpoints/file_reading.js';
import { type JsonFields, ownField } from '../checkpoints/json_file.js';
import { CheckpointSource } from '../checkpoints/parameter_source.js';
import { HeddleError, mismatch } from '../errors.js';
import { checkFloat, checkOptions, checkSizes, describeValue } from '../graph/options.js';
import type {
  Initialization,
  ParameterRole,
  ParameterSource,
  StoredAs,
} from '../graph/parameters.js';
import type { State } from '../graph/state.js';
import type { LowRankAdapter } from '../layers/low_rank.js';
import { RandomSource } from '../layers/random_source.js';
import { architectureOf, hasHead } from '../models/registry.js';
import type { FileRange } from '../native.js';

/** A fresh adapter: LoRA (Hu et al. 2022). */
export interface LoraOptions {
  /** Projections that are changed, by the ends of their names in the checkpoint, such as `query`, `c_attn`. */
  targetModules: readonly string[];
  /** Rank of the changes; default 8. */
  r?: number;
  /** The changes are scaled by alpha / r; default 8. */
  alpha?: number;
  /** They are scaled by alpha / √r (Kalajdzievski 2023, "A Rank Stabilization Scaling Factor"); default false. */
  rsLora?: boolean;
  /** Probability that a number is dropped that the changes read, while they are trained in `trainMode`; default 0. */
  dropout?: number;
  /** Layers that are trained whole and saved with the adapter, such as `classifier`. */
  modulesToSave?: readonly string[];
  /** Of the first numbers; default 0. */
  seed?: number;
}

/** An adapter of a model that is being built: says which layers it changes, and gives their parameters. */
export interface OpenAdapter extends LowRankAdapter {
  /** What its adapter_config.json says, or will. */
  readonly fields: JsonFields;
  /** Layers that it has whole. */
  readonly modulesToSave: readonly string[];
  readonly source: ParameterSource;
  /** Where the matrices of a layer's change are, and its factor; undefined where there is none, or they are no files. */
  matricesOf(path: string): { a: FileRange; b: FileRange; factor: number } | undefined;
  /** Tensors that stand in the place of the base's. */
  readonly replaced: ReadonlyMap<string, FileRange>;
  /**
   * To be called when the model is built: throws where the model lacks something that the adapter changes.
   * @param unused tensors that the model made nothing of.
   */
  checkComplete(unused: readonly string[]): void;
}

/** @throws what `readAdapter` throws. @param prefix that names in an adapter of the model without its head leave out. */
export async function openAdapter(folder: string, prefix: string): Promise<OpenAdapter> {
  const files = await readAdapter(folder);
  const ranks = ranksOf(files);
  const lowRank = new Map<string, FileRange>();
  const replaced = new Map<string, FileRange>();
  for (const [name, range] of files.tensors)
    (lowRankPart(name) ? lowRank : replaced).set(name, range);
  const source = new CheckpointSource(lowRank, { prefix, dtype: 'float32', where: folder });
  const moduleAt = (path: string): string | undefined =>
    [path, ...(path.startsWith(`${prefix}.`) ? [path.slice(prefix.length + 1)] : [])].find((name) =>
      ranks.has(name),
    );
  const scaleOf = (path: string, rank: number): number => {
    const named = [...files.alphaOf].find(([name]) => isModule(path, [name]));
    return (named?.[1] ?? files.alpha) / (files.rankStabilized ? Math.sqrt(rank) : rank);
  };
  return {
    fields: files.fields,
    modulesToSave: namesIn(ownField(files.fields, 'modules_to_save')),
    source,
    replaced,
    rankOf(path) {
      const name = moduleAt(path);
      return name === undefined ? undefined : ranks.get(name);
    },
    scaleOf,
    dropout: files.dropout,
    matricesOf(path) {
      const name = moduleAt(path);
      const [a, b] = ['A', 'B'].map((matrix) => lowRank.get(`${name}.lora_${matrix}.weight`));
      return a && b ? { a, b, factor: scaleOf(path, a.dims[0] ?? 1) } : undefined;
    },
    checkComplete(unusedByModel) {
      source.checkComplete();
      const unused = source.unused[0] ?? unusedByModel.find((name) => replaced.has(name));
      if (unused === undefined) return;
      const expected = 'changes of projections and layers that the model has';
      throw mismatch('ERR_NOT_FOUND', folder, expected, `'${unused}'`);
    },
  };
}

const namesIn = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];

/** By module. */
function ranksOf({ folder, tensors }: AdapterFiles): Map<string, number> {
  const ranks = new Map<string, number>();
  for (const [name, { dims }] of tensors) {
    const part = lowRankPart(name);
    if (/\.lora_/.test(name) && !part) {
      const message = `${folder}: expected changes of projections, found '${name}'; LoRA of embeddings is not supported`;
      throw new HeddleError('ERR_UNSUPPORTED', message, { where: folder, found: name });
    }
    if (part?.matrix === 'A') ranks.set(part.module, dims[0] ?? 0);
  }
  return ranks;
}

/**
 * A fresh adapter. @param fresh layers of the model that no checkpoint has, known when they are built: they are saved whole.
 * @throws ERR_ARGUMENT.
 */
export function freshAdapter(
  options: LoraOptions,
  fresh: ReadonlySet<string> = new Set(),
): OpenAdapter {
  const known = [
    'targetModules',
    'r',
    'alpha',
    'rsLora',
    'dropout',
    'modulesToSave',
    'seed',
  ] as const;
  checkOptions('adapter', options, known);
  const { targetModules, r = 8, alpha = 8, rsLora = false, modulesToSave = [], seed = 0 } = options;
  const { dropout = 0 } = options;
  checkSizes('adapter', { r });
  checkSizes('adapter', { seed }, 0);
  checkFloat('adapter: alpha', alpha, Number.MIN_VALUE);
  checkFloat('adapter: dropout', dropout, 0);
  if (dropout >= 1) throw mismatch('ERR_ARGUMENT', 'adapter: dropout', 'less than 1', `${dropout}`);
  checkNames('targetModules', targetModules, 1);
  checkNames('modulesToSave', modulesToSave, 0);
  const changed = new Set<string>();
  return {
    fields: {
      peft_type: 'LORA',
      r,
      lora_alpha: alpha,
      use_rslora: rsLora,
      target_modules: [...targetModules],
      lora_dropout: dropout,
      bias: 'none',
      use_dora: false,
      init_lora_weights: true,
    },
    get modulesToSave() {
      return [...modulesToSave, ...fresh];
    },
    dropout,
    source: new RandomSource(seed),
    replaced: new Map(),
    rankOf(path) {
      if (isModule(path, this.modulesToSave) || !isModule(path, targetModules)) return undefined;
      for (const name of targetModules) if (isModule(path, [name])) changed.add(name);
      return r;
    },
    matricesOf: () => undefined,
    scaleOf: (_, rank) => alpha / (rsLora ? Math.sqrt(rank) : rank),
    checkComplete() {
      const missing = targetModules.find((name) => !changed.has(name));
      if (missing === undefined) return;
      const expected = 'names of projections that the model has';
      throw mismatch('ERR_NOT_FOUND', 'adapter: targetModules', expected, `'${missing}'`);
    },
  };
}

function checkNames(option: string, names: unknown, least: number): void {
  const areNames =
    Array.isArray(names) &&
    names.length >= least &&
    names.every((name) => typeof name === 'string' && name !== '');
  if (areNames) return;
  const expected = `an array of names${least > 0 ? ', at least one' : ''}`;
  throw mismatch('ERR_ARGUMENT', `adapter: ${option}`, expected, describeValue(names));
}

/**
 * The config of a model under adapters: where one of them brings the head of a classifier that the base lacks, the config.json beside it
 * says which head, and names the classes. @throws ERR_CONFIG, ERR_FILE.
 */
export async function adaptedConfig(base: Config, folders: readonly string[]): Promise<Config> {
  for (const folder of folders) {
    if ((await kindOf(join(folder, 'config.json'))) !== 'file') continue;
    const own = await readConfig(folder);
    if (own.modelType !== base.modelType || !own.architectures.length) continue;
    if (classifies(base) || !classifies(own)) continue;
    const { num_labels: _, ...fields } = base.fields;
    const { architectures, id2label, label2id } = own.fields;
    return new Config({ ...fields, architectures, id2label, label2id }, base.file);
  }
  return base;
}

const classifies = ({ architectures, modelType }: Config): boolean =>
  hasHead(architectureOf(architectures, modelType).name, 'sequenceClassification');

/** `lora_A.0.weight` of a layer: the number is the adapter's. */
const lowRankName = /^(.+\.lora_[AB])\.(\d+)\.weight$/;

/** The parameters of a base, with those of adapters over it. */
export class AdaptedSource implements ParameterSource {
  readonly stack: ParameterSource['stack'];

  constructor(
    private readonly base: ParameterSource,
    private readonly adapters: readonly OpenAdapter[],
  ) {
    this.stack = base.stack?.bind(base);
  }

  has(name: string): boolean {
    return this.base.has(name);
  }

  create(
    name: string,
    shape: readonly number[],
    role: ParameterRole,
    init: Initialization,
    stored?: StoredAs,
  ): State {
    const [, path, number] = lowRankName.exec(name) ?? [];
    const adapter = this.adapters[Number(number)];
    if (!adapter) return this.base.create(name, shape, role, init, stored);
    return adapter.source.create(`${path}.weight`, shape, role, init, stored);
  }
}

/**
 * The tensors of a base with those in their place that adapters have saved whole.
 * @throws ERR_ARGUMENT where two adapters have the same; ERR_NOT_FOUND where the base has none of that name.
 */
export function withReplaced(
  tensors: ReadonlyMap<string, FileRange>,
  adapters: readonly OpenAdapter[],
  prefix: string,
): Map<string, FileRange> {
  const all = new Map(tensors);
  const taken = new Set<string>();
  for (const { replaced } of adapters) {
    for (const [name, range] of replaced) {
      const spellings = [name, `${prefix}.${name}`, name.replace(`${prefix}.`, '')];
      const found = spellings.find((spelling) => tensors.has(spelling));
      if (taken.has(found ?? name)) {
        throw mismatch(
          'ERR_ARGUMENT',
          'adapters',
          'each layer saved whole by one',
          `'${name}' twice`,
        );
      }
      taken.add(found ?? name);
      all.set(found ?? name, range);
    }
  }
  return all;
}
