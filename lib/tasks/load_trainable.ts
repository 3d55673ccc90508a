import { openCheckpoint } from '../checkpoints/checkpoint.js';
import { readConfig } from '../checkpoints/config.js';
import { CheckpointSource } from '../checkpoints/parameter_source.js';
import { HeddleError } from '../errors.js';
import { Parameters } from '../graph/parameters.js';
import type { Tensor } from '../graph/tensor.js';
import { Scope } from '../layers/scope.js';
import { expectPacked, type PackedIds } from '../layers/sequence.js';
import type { Encoder } from '../models/encoder.js';
import { architectureOf } from '../models/registry.js';

/** A checkpoint's model as graphs of its parameters, to be differentiated and trained. */
export class TrainableModel {
  constructor(
    private readonly network: Encoder,
    readonly parameters: Parameters,
  ) {}

  /**
   * Records the whole model. @returns what it gives for each row, such as `logits`, float32 [rows, vocabSize], and
   * `lastHiddenState`, [rows, hiddenSize].
   */
  forward(packed: PackedIds): Record<string, Tensor> {
    expectPacked(packed, 'TrainableModel');
    const { positions, offsets } = packed;
    // Types and pairs are for token types and attention maps, which plans of other outputs leave out.
    const batch = { ...packed, positionIds: positions, typeIds: positions };
    const outputs = this.network.outputs({ ...batch, pairs: 1, pairOffsets: offsets });
    return Object.fromEntries(
      Object.entries(outputs)
        .filter(([, { per }]) => per === 'row')
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

/**
 * Opens a decoder-only language model's folder (config.json and safetensors) for training, in float32.
 * @throws what `load` throws; ERR_UNSUPPORTED for other architectures.
 */
export async function loadTrainable(folder: string): Promise<TrainableModel> {
  const config = await readConfig(folder);
  const checkpoint = await openCheckpoint(folder);
  const { name, architecture } = architectureOf(config.architectures, config.modelType);
  if (architecture.kind !== 'decoder') {
    const message = `${config.file}: expected a decoder-only language model, found ${name}`;
    throw new HeddleError('ERR_UNSUPPORTED', message, { where: config.file, found: name });
  }
  const { prefix } = architecture;
  const weights = new CheckpointSource(checkpoint.tensors, {
    prefix,
    dtype: 'float32',
    where: folder,
  });
  const parameters = new Parameters(weights);
  const network = architecture.build(config, new Scope(parameters));
  weights.checkComplete();
  return new TrainableModel(network, parameters);
}
