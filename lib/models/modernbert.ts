import { HeddleError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { MultiHeadAttention } from '../layers/attention.js';
import { Embedding } from '../layers/embedding.js';
import { GatedFeedForward } from '../layers/feed_forward.js';
import { LayerNorm } from '../layers/norm.js';
import { RotaryPositions, rotaryFrequencies } from '../layers/rotary.js';
import type { Scope } from '../layers/scope.js';
import { dropped } from '../layers/train_mode.js';
import { add, pool } from '../ops/index.js';
import { wordTable } from './bert.js';
import {
  Encoder,
  type EncoderBatch,
  type EncoderTop,
  type LayerCall,
  type Pooler,
  type StackedLayer,
} from './encoder.js';
import { family } from './family.js';
import {
  HeadTransform,
  MaskedLmHead,
  MultipleChoice,
  QuestionAnswering,
  SequenceClassifier,
  TokenClassifier,
  vocabularyProjection,
} from './heads.js';
import { activationOf, type ModelConfig } from './model_config.js';
import { type LayerKind, layerKinds, rotaryBase } from './modernbert_config.js';
import type { PaddingReach } from './padding.js';

function modernBertConfig(config: ModelConfig) {
  const activation = (field: string) =>
    activationOf(config.string(field, { default: 'gelu' }), field);
  const pooling = config.string('classifier_pooling', { default: 'cls' });
  if (pooling !== 'cls' && pooling !== 'mean') {
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      `config.json: classifier_pooling: expected 'cls' or 'mean', found '${pooling}'`,
      { where: 'classifier_pooling', found: pooling },
    );
  }
  const numLayers = config.integer('num_hidden_layers', { min: 0 });
  return {
    vocabSize: config.integer('vocab_size', { min: 1 }),
    hiddenSize: config.integer('hidden_size', { min: 1 }),
    numLayers,
    numHeads: config.integer('num_attention_heads', { min: 1 }),
    intermediateSize: config.integer('intermediate_size', { min: 1 }),
    activation: activation('hidden_activation'),
    epsilon: config.number('norm_eps', { min: 0, default: 1e-5 }),
    maxPositions: config.integer('max_position_embeddings', { min: 1, default: 8192 }),
    normBias: config.boolean('norm_bias', { default: false }),
    attentionBias: config.boolean('attention_bias', { default: false }),
    feedForwardBias: config.boolean('mlp_bias', { default: false }),
    layerKinds: layerKinds(config, numLayers),
    rotaryBases: { full: rotaryBase(config, 'full'), sliding: rotaryBase(config, 'sliding') },
    // All tokens that a local layer sees, half of them on either side.
    reach: Math.floor(config.integer('local_attention', { min: 0, default: 128 }) / 2),
    tied: config.boolean('tie_word_embeddings', { default: true }),
    decoderBias: config.boolean('decoder_bias', { default: true }),
    headActivation: activation('classifier_activation'),
    headBias: config.boolean('classifier_bias', { default: false }),
    pooling: pooling === 'cls' ? ('first' as const) : ('mean' as const),
    labels: config.labelCount(),
  };
}
type ModernBertConfig = ReturnType<typeof modernBertConfig>;

const normAt = (config: ModernBertConfig, scope: Scope): LayerNorm =>
  new LayerNorm(config.hiddenSize, { epsilon: config.epsilon, bias: config.normBias, scope });

/** Norm, attention, norm, gated feed-forward, each part with a residual connection. */
class ModernBertLayer implements StackedLayer {
  private readonly attentionNorm: LayerNorm | undefined;
  private readonly attention: MultiHeadAttention;
  private readonly feedForwardNorm: LayerNorm;
  private readonly feedForward: GatedFeedForward;
  private readonly window: { left: number; right: number } | undefined;

  constructor(
    config: ModernBertConfig,
    private readonly rotary: RotaryPositions,
    i: number,
    scope: Scope,
  ) {
    const { hiddenSize: dModel, numHeads, intermediateSize, activation, reach } = config;
    this.window = config.layerKinds[i] === 'sliding' ? { left: reach, right: reach } : undefined;
    // What the first layer reads was normalised with the embeddings.
    this.attentionNorm = i === 0 ? undefined : normAt(config, scope.at('attn_norm'));
    this.attention = new MultiHeadAttention({
      dModel,
      numHeads,
      bias: config.attentionBias,
      names: { queryKeyValue: 'Wqkv', output: 'Wo' },
      scope: scope.at('attn'),
    });
    this.feedForwardNorm = normAt(config, scope.at('mlp_norm'));
    this.feedForward = new GatedFeedForward({
      dModel,
      dFeedForward: intermediateSize,
      activation,
      bias: config.feedForwardBias,
      names: { upAndGate: 'Wi', down: 'Wo' },
      scope: scope.at('mlp'),
    });
  }

  forward(x: Tensor, batch: EncoderBatch, { observe }: LayerCall): Tensor {
    const { rotary, window } = this;
    const rotate = (rows: Tensor, heads: number): Tensor =>
      rotary.forward(rows, batch.positionIds, heads);
    const normed = this.attentionNorm?.forward(x) ?? x;
    const mixed = this.attention.forward(normed, batch, { rotate, window, observe });
    const attended = add(dropped(mixed, 'residual'), x);
    const fed = this.feedForward.forward(this.feedForwardNorm.forward(attended));
    return add(dropped(fed, 'residual'), attended);
  }
}

/**
 * Warner et al. 2024, "Smarter, Better, Faster, Longer: A Modern Bidirectional Encoder": norms first, rotary positions,
 * gated units, and attention to nearby tokens only in most layers (section 2.1).
 */
export class ModernBert extends Encoder {
  protected readonly layers: readonly StackedLayer[];
  private readonly words: Embedding;
  private readonly norm: LayerNorm;
  private readonly finalNorm: LayerNorm;
  override readonly paddingReach: PaddingReach;

  constructor(config: ModernBertConfig, scope: Scope, top: EncoderTop) {
    const { vocabSize, hiddenSize, numHeads, maxPositions } = config;
    super({ vocabSize, positions: maxPositions, typeVocabSize: Infinity }, hiddenSize, top);
    const words = scope.at('embeddings.tok_embeddings');
    this.words = new Embedding(vocabSize, hiddenSize, { scope: words });
    this.norm = normAt(config, scope.at('embeddings.norm'));
    const rotaryOf = (kind: LayerKind): RotaryPositions => {
      const frequencies = rotaryFrequencies(hiddenSize / numHeads, config.rotaryBases[kind]);
      return new RotaryPositions({ frequencies, maxLength: maxPositions, scope: scope.at(kind) });
    };
    const rotary = { full: rotaryOf('full'), sliding: rotaryOf('sliding') };
    this.layers = config.layerKinds.map(
      (kind, i) => new ModernBertLayer(config, rotary[kind], i, scope.at(`layers.${i}`)),
    );
    this.finalNorm = normAt(config, scope.at('final_norm'));
    this.paddingReach = config.reach;
  }

  protected embed({ ids }: EncoderBatch): Tensor {
    return dropped(this.norm.forward(this.words.forward(ids)), 'embedding');
  }

  protected override finish(hidden: Tensor): Tensor {
    return this.finalNorm.forward(hidden);
  }
}

/** Dense layer, activation and norm, which every head of the family begins with. */
const transform = (config: ModernBertConfig, scope: Scope): HeadTransform =>
  new HeadTransform({
    hiddenSize: config.hiddenSize,
    activation: config.headActivation,
    epsilon: config.epsilon,
    bias: config.headBias,
    normBias: config.normBias,
    dense: scope.at('head.dense'),
    norm: scope.at('head.norm'),
  });

/** The first token, or the mean of all. */
class TransformedPooler implements Pooler {
  private readonly transform: HeadTransform;

  constructor(
    private readonly config: ModernBertConfig,
    readonly readsFirst: boolean,
    scope: Scope,
  ) {
    this.transform = transform(config, scope);
  }

  forward(hidden: Tensor, batch: EncoderBatch): Tensor {
    return this.transform.forward(pool(hidden, batch.offsets, batch.count, this.config.pooling));
  }
}

export const modernbert = family({
  config: modernBertConfig,
  encoder: (config, scope, top) => new ModernBert(config, scope.at('model'), top),
  heads: {
    base: () => ({}),
    maskedLm: (config, scope) => {
      const { vocabSize, hiddenSize, tied, decoderBias } = config;
      const words = scope.at('model.embeddings.tok_embeddings');
      const decoder = vocabularyProjection({
        vocabSize,
        width: hiddenSize,
        tied: tied ? wordTable(words, vocabSize, hiddenSize) : undefined,
        bias: decoderBias,
        scope: scope.at('decoder'),
        decoder: scope.at('decoder'),
      });
      return { head: new MaskedLmHead(transform(config, scope), decoder) };
    },
    sequenceClassification: (config, scope) => {
      const { hiddenSize, labels, pooling } = config;
      const pooler = new TransformedPooler(config, pooling === 'first', scope);
      return { head: new SequenceClassifier(pooler, hiddenSize, labels, scope.at('classifier')) };
    },
    tokenClassification: (config, scope) => {
      const { hiddenSize, labels } = config;
      const output = scope.at('classifier');
      return { head: new TokenClassifier(hiddenSize, labels, output, transform(config, scope)) };
    },
    questionAnswering: (config, scope) => {
      const output = scope.at('classifier');
      return { head: new QuestionAnswering(config.hiddenSize, output, transform(config, scope)) };
    },
    // Unlike the classifier, this head looks for the first token that is not masked.
    multipleChoice: (config, scope) => {
      const pooler = new TransformedPooler(config, false, scope);
      return { head: new MultipleChoice(pooler, config.hiddenSize, scope.at('classifier')) };
    },
  },
});
