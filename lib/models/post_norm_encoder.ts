import type { Tensor } from '../graph/tensor.js';
import { type EncoderLayerNames, encoderStack } from '../layers/block.js';
import { Linear } from '../layers/linear.js';
import type { Scope } from '../layers/scope.js';
import { TokenEmbeddings } from '../layers/token_embeddings.js';
import type { Activation, AttentionOptions } from '../ops/index.js';
import { Encoder, type EncoderBatch, type EncoderTop, type StackedLayer } from './encoder.js';

/** What BERT and the encoders modelled on it are made from. */
export interface PostNormConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly intermediateSize: number;
  readonly activation: Activation;
  readonly epsilon: number;
  readonly maxPositions: number;
  /** Left out: the family has no token types, and any are taken. */
  readonly typeVocabSize?: number;
  /** Width of the embeddings, where a projection follows them; default: `hiddenSize`. */
  readonly embeddingSize?: number;
}

/** How a family's checkpoints name their parts. */
export interface PostNormNames {
  /** Parent of layer i. Layers with one parent share their parameters. */
  readonly layerAt: (i: number) => string;
  readonly layer: EncoderLayerNames;
  /** The projection from the embeddings to the layers; left out: there is none. */
  readonly projection?: string | undefined;
}

const embeddingNames = {
  words: 'word_embeddings',
  positions: 'position_embeddings',
  types: 'token_type_embeddings',
  norm: 'LayerNorm',
};

/**
 * An encoder with learned positions and a norm after each residual addition. Families differ in names, positions
 * and what they add to the scores.
 */
export abstract class PostNormEncoder extends Encoder {
  protected readonly layers: readonly StackedLayer[];
  private readonly embeddings: TokenEmbeddings;
  private readonly projection: Linear | undefined;

  /** @param scope of the model without its head, such as `bert`. */
  constructor(config: PostNormConfig, names: PostNormNames, scope: Scope, top: EncoderTop) {
    const { vocabSize, hiddenSize, maxPositions, typeVocabSize, epsilon } = config;
    const limits = { vocabSize, positions: maxPositions, typeVocabSize: typeVocabSize ?? Infinity };
    super(limits, hiddenSize, top);
    const { embeddingSize = hiddenSize } = config;
    this.embeddings = new TokenEmbeddings({
      vocabSize,
      dModel: embeddingSize,
      maxPositions,
      typeVocabSize,
      epsilon,
      names: embeddingNames,
      scope: scope.at('embeddings'),
    });
    if (names.projection !== undefined) {
      this.projection = new Linear(embeddingSize, hiddenSize, {
        scope: scope.at(names.projection),
      });
    }
    const layer = {
      dModel: hiddenSize,
      numHeads: config.numHeads,
      dFeedForward: config.intermediateSize,
      activation: config.activation,
      epsilon,
      names: names.layer,
    };
    const stack = encoderStack(config.numLayers, layer, (i) => scope.at(names.layerAt(i)));
    this.layers = stack.map((each) => ({
      forward: (hidden, batch, { observe }) =>
        each.forward(hidden, batch, { observe, bias: this.attentionBias() }),
    }));
  }

  /** A bias that all layers add to their scores. */
  protected attentionBias(): AttentionOptions['bias'] | undefined {
    return undefined;
  }

  protected embed(batch: EncoderBatch): Tensor {
    const embedded = this.embeddings.forward(batch);
    return this.projection?.forward(embedded) ?? embedded;
  }
}
