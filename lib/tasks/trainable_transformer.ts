import { openCheckpoint } from '../checkpoints/checkpoint.js';
import { Config, readConfig } from '../checkpoints/config.js';
import type { JsonFields } from '../checkpoints/json_file.js';
import { CheckpointSource } from '../checkpoints/parameter_source.js';
import { HeddleError } from '../errors.js';
import {
  type Initialization,
  type ParameterRole,
  type ParameterSource,
  Parameters,
  type StoredAs,
  type StoredParameter,
} from '../graph/parameters.js';
import type { State } from '../graph/state.js';
import { RandomSource } from '../layers/random_source.js';
import { Scope } from '../layers/scope.js';
import { Transformer } from '../layers/transformer.js';
import { activationOf } from '../models/model_config.js';
import { saveModel } from './save_model.js';
import type { Trainable } from './trainable.js';

/** Our names of parameters, and those of Marian's checkpoints. */
const marianNames: readonly (readonly [RegExp, string])[] = [
  [/^embedding\./, 'model.shared.'],
  [/^output\.bias$/, 'final_logits_bias'],
  [/^(encoder|decoder)\./, 'model.$1.'],
  [/\.multihead_attn\./, '.encoder_attn.'],
  [/\.norm1\./, '.self_attn_layer_norm.'],
  [/\.linear1\./, '.fc1.'],
  [/\.linear2\./, '.fc2.'],
  [/(decoder.*)\.norm2\./, '$1.encoder_attn_layer_norm.'],
  [/\.norm[23]\./, '.final_layer_norm.'],
];

/** The class of transformers that checkpoints are of. */
export const transformerName = 'MarianMTModel';

/** Whether a config.json describes such a model. */
export const isTransformer = ({ architectures: [name], modelType }: Config): boolean =>
  name === undefined ? modelType === 'marian' : name === transformerName;

const marianName = (name: string): string =>
  marianNames.reduce((spelt, [pattern, other]) => spelt.replace(pattern, other), name);

/** Marian keeps the bias of the output as a row. */
const storedAs = (name: string, shape: readonly number[]): StoredAs | undefined =>
  name === 'output.bias' ? { shape: [1, ...shape], offset: 0 } : undefined;

/**
 * The encoder–decoder of Vaswani et al. 2017 to be trained, kept as transformers' MarianMTModel, which is the same
 * architecture: post-norm, sinusoidal positions, one embedding for source, target and output.
 */
export class TrainableTransformer implements Trainable {
  readonly model: Transformer;
  readonly parameters: Parameters;
  readonly vocabSize: number;
  readonly maxLength: number;
  /** What the decoder begins with. */
  readonly startId: number;
  readonly config: JsonFields;

  constructor(fields: JsonFields, source: ParameterSource, where: string) {
    const config = new Config(fields, where);
    const size = (name: string, given: number): number =>
      config.integer(name, { min: 1, default: given });
    this.vocabSize = config.integer('vocab_size', { min: 1 });
    this.maxLength = size('max_position_embeddings', 512);
    this.startId = config.integer('decoder_start_token_id', { max: this.vocabSize - 1 });
    const shape = {
      d_model: size('d_model', 512),
      encoder_layers: size('encoder_layers', 6),
      decoder_layers: size('decoder_layers', 6),
      encoder_attention_heads: size('encoder_attention_heads', 8),
      encoder_ffn_dim: size('encoder_ffn_dim', 2048),
      max_position_embeddings: this.maxLength,
      activation_function: config.string('activation_function', { default: 'relu' }),
    };
    const heads = size('decoder_attention_heads', shape.encoder_attention_heads);
    const width = size('decoder_ffn_dim', shape.encoder_ffn_dim);
    if (heads !== shape.encoder_attention_heads || width !== shape.encoder_ffn_dim) {
      const message = `${where}: expected encoder and decoder layers of one shape, found two`;
      throw new HeddleError('ERR_UNSUPPORTED', message, { where });
    }
    this.config = {
      ...fields,
      ...shape,
      model_type: 'marian',
      architectures: [transformerName],
      decoder_attention_heads: heads,
      decoder_ffn_dim: width,
      decoder_vocab_size: this.vocabSize,
      scale_embedding: true,
      share_encoder_decoder_embeddings: true,
      tie_word_embeddings: true,
      is_encoder_decoder: true,
    };
    this.parameters = new Parameters({
      has: (name) => source.has(marianName(name)),
      create: (name, dims, role, init) =>
        source.create(marianName(name), dims, role, init, storedAs(name, dims)),
    });
    this.model = new Transformer({
      vocabSize: this.vocabSize,
      dModel: shape.d_model,
      numHeads: shape.encoder_attention_heads,
      numEncoderLayers: shape.encoder_layers,
      numDecoderLayers: shape.decoder_layers,
      dFeedForward: shape.encoder_ffn_dim,
      maxLength: this.maxLength,
      activation: activationOf(shape.activation_function, 'activation_function'),
      positionLayout: 'halves',
      dropout: 0,
      scope: new Scope(this.parameters),
    });
  }

  /** Parameters under Marian's names. */
  stored(): StoredParameter[] {
    return this.parameters.stored().map(({ state, names: [name = ''] }) => ({
      state,
      names: [marianName(name)],
      stored: storedAs(name, state.shape),
    }));
  }

  /** Writes config.json and model.safetensors, which transformers' MarianMTModel opens. @throws ERR_FILE. */
  async save(folder: string): Promise<void> {
    await saveModel(folder, this);
  }

  dispose(): void {
    this.parameters.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Embeddings of deviation 1 / √dModel (they are scaled by its root), other matrices as torch.nn.Linear begins. */
class InitialTransformer implements ParameterSource {
  private readonly random: RandomSource;

  constructor(seed: number) {
    this.random = new RandomSource(seed);
  }

  has(): boolean {
    return true;
  }

  create(name: string, shape: readonly number[], role: ParameterRole, init: Initialization): State {
    const isTable = role === 'embedding';
    const own: Initialization = { kind: 'normal', deviation: 1 / Math.sqrt(shape[1] ?? 1) };
    return this.random.create(name, shape, role, isTable ? own : init);
  }
}

/** @param fields of Marian's config.json; absent ones are the paper's base model. @throws ERR_CONFIG. */
export function freshTransformer(
  fields: JsonFields,
  seed: number,
  where = 'model',
): TrainableTransformer {
  return new TrainableTransformer(fields, new InitialTransformer(seed), where);
}

/** Opens what `TrainableTransformer.save` has written. @throws what `load` throws. */
export async function loadTransformer(folder: string): Promise<TrainableTransformer> {
  const config = await readConfig(folder);
  const { tensors } = await openCheckpoint(folder);
  const source = new CheckpointSource(tensors, {
    prefix: 'model',
    dtype: 'float32',
    where: folder,
  });
  const model = new TrainableTransformer(config.fields, source, config.file);
  source.checkComplete();
  return model;
}
