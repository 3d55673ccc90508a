import { HeddleError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { EncoderLayer } from '../layers/block.js';
import { Convolution } from '../layers/convolution.js';
import { DisentangledAttention } from '../layers/disentangled_attention.js';
import { LayerNorm } from '../layers/norm.js';
import { RelativeEmbeddings } from '../layers/relative_embeddings.js';
import type { Scope } from '../layers/scope.js';
import { TokenEmbeddings } from '../layers/token_embeddings.js';
import { type Activation, activation, add, embedding, multiply } from '../ops/index.js';
import { bertLayerNames, wordTable } from './bert.js';
import { type DebertaV2Config, debertaV2Config } from './deberta_v2_config.js';
import {
  Encoder,
  type EncoderBatch,
  type EncoderTop,
  type ExtraFeeds,
  type LayerCall,
  type StackedLayer,
} from './encoder.js';
import type { PackedBatch } from './encoder_inputs.js';
import { family, pooledHeads, tokenHeads } from './family.js';
import { FirstTokenPooler, HeadTransform, MaskedLmHead, vocabularyProjection } from './heads.js';
import type { PaddingReach } from './padding.js';

const layerNames = {
  ...bertLayerNames,
  query: 'attention.self.query_proj',
  key: 'attention.self.key_proj',
  value: 'attention.self.value_proj',
  positionKey: 'attention.self.pos_key_proj',
  positionQuery: 'attention.self.pos_query_proj',
};

const embeddingNames = {
  words: 'word_embeddings',
  positions: 'position_embeddings',
  types: 'token_type_embeddings',
  norm: 'LayerNorm',
  projection: 'embed_proj',
};

/** Zeros in the place of padding, in batches that hold some. */
class PaddingMask {
  private readonly table: Tensor;

  constructor(width: number, scope: Scope) {
    const zerosThenOnes = Float32Array.from({ length: 2 * width }, (_, i) => (i < width ? 0 : 1));
    this.table = scope.buffer('padding mask', [2, width], zerosThenOnes);
  }

  forward(x: Tensor, { blind }: EncoderBatch): Tensor {
    return blind ? multiply(x, embedding(this.table, blind.isToken)) : x;
  }
}

/** A layer and, beside it, a convolution of what it reads: "nGiE" of the second version. */
class ConvolvedLayer implements StackedLayer {
  private readonly convolution: Convolution;
  private readonly activation: Activation;
  private readonly norm: LayerNorm;

  constructor(
    private readonly layer: StackedLayer,
    { hiddenSize, epsilon, convolution }: DebertaV2Config,
    private readonly mask: PaddingMask,
    scope: Scope,
  ) {
    const { size = 1, activation = 'tanh' } = convolution ?? {};
    this.convolution = new Convolution(hiddenSize, hiddenSize, size, { scope: scope.at('conv') });
    this.activation = activation;
    this.norm = new LayerNorm(hiddenSize, { epsilon, scope: scope.at('LayerNorm') });
  }

  forward(x: Tensor, batch: EncoderBatch, options: LayerCall): Tensor {
    const convolved = activation(this.convolution.forward(x, batch), this.activation);
    const sum = add(convolved, this.layer.forward(x, batch, options));
    return this.mask.forward(this.norm.forward(sum), batch);
  }
}

/**
 * He et al. 2021, "DeBERTa: Decoding-enhanced BERT with Disentangled Attention", in its second version, and He et al. 2023,
 * "DeBERTaV3", which was only trained otherwise: BERT with scores that know how far apart two tokens are.
 */
export class DebertaV2 extends Encoder {
  protected readonly layers: readonly StackedLayer[];
  private readonly embeddings: TokenEmbeddings;
  private readonly relative: RelativeEmbeddings | undefined;
  private readonly mask: PaddingMask;
  override readonly paddingReach: PaddingReach = -1;

  constructor(config: DebertaV2Config, scope: Scope, top: EncoderTop) {
    const { vocabSize, hiddenSize, epsilon, maxPositions, typeVocabSize } = config;
    const limits = { vocabSize, positions: maxPositions, typeVocabSize: typeVocabSize ?? Infinity };
    super(limits, hiddenSize, top);
    this.embeddings = new TokenEmbeddings({
      vocabSize,
      dModel: hiddenSize,
      width: config.embeddingSize,
      maxPositions: config.hasPositionTable ? maxPositions : undefined,
      typeVocabSize,
      epsilon,
      names: embeddingNames,
      scope: scope.at('embeddings'),
    });
    this.mask = new PaddingMask(hiddenSize, scope);
    if (config.relative) {
      const { span, bucketed, normalized } = config.relative;
      this.relative = new RelativeEmbeddings({
        dModel: hiddenSize,
        span,
        bucketed,
        normEpsilon: normalized ? epsilon : undefined,
        names: { table: 'rel_embeddings', norm: 'LayerNorm' },
        scope: scope.at('encoder'),
      });
    }
    const layers = Array.from({ length: config.numLayers }, (_, i) =>
      this.layer(config, scope.at(`encoder.layer.${i}`)),
    );
    const [first] = layers;
    const convolved =
      config.convolution && first
        ? new ConvolvedLayer(first, config, this.mask, scope.at('encoder.conv'))
        : first;
    this.layers = convolved ? [convolved, ...layers.slice(1)] : [];
  }

  private layer(config: DebertaV2Config, scope: Scope): EncoderLayer {
    const { hiddenSize: dModel, numHeads, epsilon, activation } = config;
    const { contentToPosition, positionToContent, shared } = config;
    const attention = new DisentangledAttention({
      dModel,
      numHeads,
      relative: this.relative,
      contentToPosition,
      positionToContent,
      shared,
      names: layerNames,
      scope,
    });
    return new EncoderLayer({
      dModel,
      numHeads,
      dFeedForward: config.intermediateSize,
      activation,
      epsilon,
      attention,
      names: bertLayerNames,
      scope,
    });
  }

  protected embed(batch: EncoderBatch): Tensor {
    return this.mask.forward(this.embeddings.forward(batch), batch);
  }

  override extraFeeds({ columns }: PackedBatch): ExtraFeeds {
    const farthest = columns.reduce((most, column) => Math.max(most, column), 0);
    return this.relative?.feeds(farthest) ?? { feeds: {}, sizes: [] };
  }
}

/** Of two heads, the older under BERT's names, the newer without a projection of its own. */
function maskedLm(config: DebertaV2Config, scope: Scope): EncoderTop {
  const { vocabSize, hiddenSize, embeddingSize, activation, epsilon } = config;
  const newer = scope.at('lm_predictions.lm_head');
  const predictions = scope.at('cls.predictions');
  // Published checkpoints have the newer one, while their config.json says nothing of `legacy`.
  const isNewer =
    !config.legacy || (newer.has('dense.weight') && !predictions.has('transform.dense.weight'));
  const tied =
    isNewer || config.tied
      ? wordTable(scope.at('deberta.embeddings.word_embeddings'), vocabSize, embeddingSize)
      : undefined;
  if (isNewer && embeddingSize !== hiddenSize) {
    throw new HeddleError(
      'ERR_CONFIG',
      `config.json: embedding_size: expected hidden_size, ${hiddenSize}, for a head without a projection, found ${embeddingSize}`,
      { where: 'embedding_size', found: `${embeddingSize}` },
    );
  }
  const head = isNewer ? newer : predictions;
  const decoder = vocabularyProjection({
    vocabSize,
    width: embeddingSize,
    tied,
    scope: head,
    decoder: head.at('decoder'),
  });
  const transform = new HeadTransform({
    hiddenSize,
    width: embeddingSize,
    activation,
    epsilon,
    dense: isNewer ? newer.at('dense') : predictions.at('transform.dense'),
    norm: isNewer ? newer.at('LayerNorm') : predictions.at('transform.LayerNorm'),
  });
  return { head: new MaskedLmHead(transform, decoder) };
}

const pooler = (config: DebertaV2Config, scope: Scope): FirstTokenPooler =>
  new FirstTokenPooler(config.hiddenSize, config.poolerActivation, scope.at('pooler.dense'));

/** DeBERTa-v2 and v3, whose checkpoints differ in nothing but numbers. */
export const debertaV2 = family({
  config: debertaV2Config,
  encoder: (config, scope, top) => new DebertaV2(config, scope.at('deberta'), top),
  heads: {
    base: () => ({}),
    maskedLm,
    ...pooledHeads(pooler),
    ...tokenHeads,
  },
});
