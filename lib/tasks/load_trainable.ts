import { openCheckpoint } from '../checkpoints/checkpoint.js';
import { Config, readConfig } from '../checkpoints/config.js';
import type { JsonFields } from '../checkpoints/json_file.js';
import { CheckpointSource, type WeightDType } from '../checkpoints/parameter_source.js';
import { mismatch } from '../errors.js';
import { checkOptions, checkSizes, describeValue } from '../graph/options.js';
import { Parameters, type StoredParameter } from '../graph/parameters.js';
import type { Tensor } from '../graph/tensor.js';
import { Scope } from '../layers/scope.js';
import { expectPacked, type PackedIds } from '../layers/sequence.js';
import type { Encoder, EncoderBatch } from '../models/encoder.js';
import { architectureOf, classifierOver, isHeadless } from '../models/registry.js';
import { InitialParameters } from '../train/initial_parameters.js';
import {
  AdaptedSource,
  adaptedConfig,
  freshAdapter,
  type LoraOptions,
  openAdapter,
  withReplaced,
} from './adapter.js';
import { AdapterTraining } from './adapter_training.js';
import { FreshHeadSource, labelFields } from './fresh_head.js';
import { saveModel } from './save_model.js';
import type { Trainable } from './trainable.js';

/** A checkpoint's model as graphs of its parameters, to be differentiated and trained. */
export class TrainableModel implements Trainable {
  /** @param config as config.json has it. */
  constructor(
    readonly network: Encoder,
    readonly parameters: Parameters,
    readonly config: JsonFields = {},
    /** What is trained in place of all parameters, where the model was opened with an adapter. */
    readonly adapter?: AdapterTraining,
  ) {}

  /**
   * Records the whole model. @param packed with `typeIds`, int32 [rows], for a model that has types of tokens, and `positionIds`, where
   * they are not the columns. @returns what it gives for each row, such as `logits`, float32 [rows, vocabSize], and
   * `lastHiddenState`, [rows, hiddenSize]; of a classifier, `logits` for each sequence.
   */
  forward(
    packed: PackedIds & Partial<Pick<EncoderBatch, 'typeIds' | 'positionIds'>>,
  ): Record<string, Tensor> {
    expectPacked(packed, 'TrainableModel');
    const { positions, offsets } = packed;
    // Pairs are for attention maps, and types of families that have none: plans of other outputs leave them out.
    const batch = { positionIds: positions, typeIds: positions, ...packed };
    const outputs = this.network.outputs({ ...batch, pairs: 1, pairOffsets: offsets });
    return Object.fromEntries(
      Object.entries(outputs)
        .filter(([, { per }]) => per === 'row' || per === 'sequence')
        .map(([name, { tensor }]) => [name, tensor]),
    );
  }

  /** Parameters and where a checkpoint has them. */
  stored(): StoredParameter[] {
    return this.parameters.stored();
  }

  /**
   * Writes config.json and model.safetensors, in float32, which `load` and Python's transformers open. Tokenizer files are the
   * caller's. A file of the same name is replaced at once, when the new one is whole. @throws ERR_FILE.
   */
  async save(folder: string): Promise<void> {
    await saveModel(folder, this);
  }

  /** Gives the parameters' memory back. */
  dispose(): void {
    this.parameters.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

export interface TrainableOptions {
  /**
   * Train an adapter and leave the model as it is: a fresh one, or one that is trained on, by its folder. `adapter` of the model
   * then has what to train, and writes it.
   */
  adapter?: LoraOptions | string;
  /** How frozen weights are kept in memory; default float32, as weights must be that are trained. */
  dtype?: WeightDType;
  /**
   * Classes of a new head, over a checkpoint that is no classifier yet: the model then classifies texts. With a new adapter the head
   * is trained and saved beside it.
   */
  labels?: readonly string[];
  /** Of that head's first weights; default 0. */
  seed?: number;
}

/**
 * Opens a model's folder (config.json and safetensors) for training, in float32: language models, encoders with their heads.
 * @throws what `load` throws; ERR_ARGUMENT; ERR_UNSUPPORTED for other architectures.
 */
export async function loadTrainable(
  folder: string,
  options: TrainableOptions = {},
): Promise<TrainableModel> {
  checkOptions('loadTrainable', options, ['adapter', 'dtype', 'labels', 'seed']);
  const { adapter: asked, dtype = 'float32', labels, seed = 0 } = options;
  checkSizes('loadTrainable', { seed }, 0);
  if (asked === undefined && dtype !== 'float32') {
    throw mismatch('ERR_ARGUMENT', 'loadTrainable: dtype', 'float32 without an adapter', dtype);
  }
  if (typeof asked === 'string' && labels !== undefined) {
    const expected = 'a new head alone or with a new adapter';
    throw mismatch('ERR_ARGUMENT', 'loadTrainable: labels', expected, 'one that is trained on');
  }
  const stored = await readConfig(folder);
  const config = labels
    ? withClasses(stored, labels)
    : await adaptedConfig(stored, typeof asked === 'string' ? [asked] : []);
  const checkpoint = await openCheckpoint(folder);
  const { name, architecture } = architectureOf(config.architectures, config.modelType);
  const { prefix } = architecture;
  const fresh = new Set<string>();
  const opened =
    typeof asked === 'string'
      ? await openAdapter(asked, prefix)
      : asked && freshAdapter(asked, fresh);
  const adapters = opened ? [opened] : [];
  const tensors = withReplaced(checkpoint.tensors, adapters, prefix);
  const weights = new CheckpointSource(tensors, { prefix, dtype, where: folder });
  const deviation = config.number('initializer_range', { min: 0, default: 0.02 });
  const base = labels
    ? new FreshHeadSource(weights, new InitialParameters(seed, deviation), prefix, fresh)
    : weights;
  const parameters = new Parameters(new AdaptedSource(base, adapters));
  const network = architecture.build(config, new Scope(parameters, '', 'float32', adapters));
  weights.checkComplete();
  opened?.checkComplete(weights.unused);
  const training = opened && {
    adapter: opened,
    base: folder,
    /** Names in an adapter are those of the class that Python wraps. */
    prefix: isHeadless(name) ? prefix : '',
    config: config === stored ? undefined : config.fields,
  };
  return new TrainableModel(
    network,
    parameters,
    config.fields,
    training && new AdapterTraining(training, parameters),
  );
}

/** The config.json of a classifier over a model. */
function withClasses(config: Config, labels: readonly string[]): Config {
  checkClasses(labels);
  const { name } = architectureOf(config.architectures, config.modelType);
  const { num_labels: _, ...fields } = config.fields;
  const architectures = [classifierOver(name)];
  return new Config({ ...fields, architectures, ...labelFields(labels) }, config.file);
}

function checkClasses(labels: readonly string[]): void {
  const areNames = Array.isArray(labels) && labels.every((label) => typeof label === 'string');
  if (areNames && labels.length >= 2 && new Set(labels).size === labels.length) return;
  const expected = 'two or more different names';
  throw mismatch('ERR_ARGUMENT', 'loadTrainable: labels', expected, describeValue(labels));
}

/**
 * A model with random weights, as a config.json describes it. @param fields such as `architectures`, `hidden_size`; those of
 * the family in transformers. @param seed of the weights. @throws ERR_CONFIG, ERR_UNSUPPORTED.
 */
export function freshTrainable(fields: JsonFields, seed: number, where = 'model'): TrainableModel {
  const config = new Config(fields, where);
  const { architecture } = architectureOf(config.architectures, config.modelType);
  const deviation = config.number('initializer_range', { min: 0, default: 0.02 });
  const parameters = new Parameters(new InitialParameters(seed, deviation));
  const network = architecture.build(config, new Scope(parameters));
  return new TrainableModel(network, parameters, fields);
}
