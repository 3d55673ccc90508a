import { openCheckpoint } from '../checkpoints/checkpoint.js';
import { Config, readConfig } from '../checkpoints/config.js';
import type { JsonFields } from '../checkpoints/json_file.js';
import { CheckpointSource } from '../checkpoints/parameter_source.js';
import { Parameters, type StoredParameter } from '../graph/parameters.js';
import type { Tensor } from '../graph/tensor.js';
import { Scope } from '../layers/scope.js';
import { expectPacked, type PackedIds } from '../layers/sequence.js';
import type { Encoder } from '../models/encoder.js';
import { architectureOf } from '../models/registry.js';
import { InitialParameters } from '../train/initial_parameters.js';
import { saveModel } from './save_model.js';
import type { Trainable } from './trainable.js';

/** A checkpoint's model as graphs of its parameters, to be differentiated and trained. */
export class TrainableModel implements Trainable {
  /** @param config as config.json has it. */
  constructor(
    readonly network: Encoder,
    readonly parameters: Parameters,
    readonly config: JsonFields = {},
  ) {}

  /**
   * Records the whole model. @returns what it gives for each row, such as `logits`, float32 [rows, vocabSize], and
   * `lastHiddenState`, [rows, hiddenSize]; of a classifier, `logits` for each sequence.
   */
  forward(packed: PackedIds): Record<string, Tensor> {
    expectPacked(packed, 'TrainableModel');
    const { positions, offsets } = packed;
    // Types and pairs are for token types and attention maps, which plans of other outputs leave out.
    const batch = { ...packed, positionIds: positions, typeIds: positions };
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

/**
 * Opens a model's folder (config.json and safetensors) for training, in float32: language models, encoders with their heads.
 * @throws what `load` throws; ERR_UNSUPPORTED for other architectures.
 */
export async function loadTrainable(folder: string): Promise<TrainableModel> {
  const config = await readConfig(folder);
  const checkpoint = await openCheckpoint(folder);
  const { architecture } = architectureOf(config.architectures, config.modelType);
  const { prefix } = architecture;
  const weights = new CheckpointSource(checkpoint.tensors, {
    prefix,
    dtype: 'float32',
    where: folder,
  });
  const parameters = new Parameters(weights);
  const network = architecture.build(config, new Scope(parameters));
  weights.checkComplete();
  return new TrainableModel(network, parameters, config.fields);
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
