import { openCheckpoint } from '../checkpoints/checkpoint.js';
import { readConfig } from '../checkpoints/config.js';
import { CheckpointSource, type WeightDType } from '../checkpoints/parameter_source.js';
import { mismatch } from '../errors.js';
import { checkOptions } from '../graph/options.js';
import { Parameters } from '../graph/parameters.js';
import type { Tensor } from '../graph/tensor.js';
import { Scope } from '../layers/scope.js';
import { expectPacked, type PackedIds } from '../layers/sequence.js';
import type { Encoder, EncoderBatch } from '../models/encoder.js';
import { architectureOf, isHeadless } from '../models/registry.js';
import {
  AdaptedSource,
  freshAdapter,
  type LoraOptions,
  openAdapter,
  withReplaced,
} from './adapter.js';
import { AdapterTraining } from './adapter_training.js';

/** A checkpoint's model as graphs of its parameters, to be differentiated and trained. */
export class TrainableModel {
  constructor(
    private readonly network: Encoder,
    readonly parameters: Parameters,
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
}

/**
 * Opens a model's folder (config.json and safetensors) for training, in float32: language models, encoders with their heads.
 * @throws what `load` throws; ERR_ARGUMENT; ERR_UNSUPPORTED for other architectures.
 */
export async function loadTrainable(
  folder: string,
  options: TrainableOptions = {},
): Promise<TrainableModel> {
  checkOptions('loadTrainable', options, ['adapter', 'dtype']);
  const { adapter: asked, dtype = 'float32' } = options;
  if (asked === undefined && dtype !== 'float32') {
    throw mismatch('ERR_ARGUMENT', 'loadTrainable: dtype', 'float32 without an adapter', dtype);
  }
  const config = await readConfig(folder);
  const checkpoint = await openCheckpoint(folder);
  const { name, architecture } = architectureOf(config.architectures, config.modelType);
  const { prefix } = architecture;
  const opened =
    typeof asked === 'string' ? await openAdapter(asked, prefix) : asked && freshAdapter(asked);
  const adapters = opened ? [opened] : [];
  const tensors = withReplaced(checkpoint.tensors, adapters, prefix);
  const weights = new CheckpointSource(tensors, { prefix, dtype, where: folder });
  const parameters = new Parameters(new AdaptedSource(weights, adapters));
  const network = architecture.build(config, new Scope(parameters, '', 'float32', adapters));
  weights.checkComplete();
  opened?.checkComplete(weights.unused);
  const training = opened && {
    adapter: opened,
    base: folder,
    /** Names in an adapter are those of the class that Python wraps. */
    prefix: isHeadless(name) ? prefix : '',
  };
  return new TrainableModel(
    network,
    parameters,
    training && new AdapterTraining(training, parameters),
  );
}
