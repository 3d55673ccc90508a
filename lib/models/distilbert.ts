import type { Scope } from '../layers/scope.js';
import { wordTable } from './bert.js';
import type { EncoderTop } from './encoder.js';
import { family, pooledHeads, tokenHeads } from './family.js';
import { FirstTokenPooler, HeadTransform, MaskedLmHead, vocabularyProjection } from './heads.js';
import { activationOf, type ModelConfig } from './model_config.js';
import { PostNormEncoder, type PostNormNames } from './post_norm_encoder.js';

function distilBertConfig(config: ModelConfig) {
  return {
    vocabSize: config.integer('vocab_size', { min: 1 }),
    hiddenSize: config.integer('dim', { min: 1, aliases: ['hidden_size'] }),
    numLayers: config.integer('n_layers', { min: 0, aliases: ['num_hidden_layers'] }),
    numHeads: config.integer('n_heads', { min: 1, aliases: ['num_attention_heads'] }),
    intermediateSize: config.integer('hidden_dim', { min: 1, aliases: ['intermediate_size'] }),
    activation: activationOf(
      config.string('activation', { default: 'gelu', aliases: ['hidden_act'] }),
      'activation',
    ),
    maxPositions: config.integer('max_position_embeddings', { min: 1 }),
    tied: config.boolean('tie_word_embeddings', { default: true }),
    labels: config.labelCount(),
    epsilon: 1e-12, // fixed in the model's definition
  };
}
type DistilBertConfig = ReturnType<typeof distilBertConfig>;

const names: PostNormNames = {
  layerAt: (i) => `transformer.layer.${i}`,
  layer: {
    query: 'attention.q_lin',
    key: 'attention.k_lin',
    value: 'attention.v_lin',
    output: 'attention.out_lin',
    attentionNorm: 'sa_layer_norm',
    up: 'ffn.lin1',
    down: 'ffn.lin2',
    feedForwardNorm: 'output_layer_norm',
  },
};

/** Sanh et al. 2019, "DistilBERT, a distilled version of BERT": no token types, no pooler. */
export class DistilBert extends PostNormEncoder {
  constructor(config: DistilBertConfig, scope: Scope, top: EncoderTop) {
    super(config, names, scope, top);
  }
}

function maskedLm(config: DistilBertConfig, scope: Scope): EncoderTop {
  const { vocabSize, hiddenSize, activation, epsilon, tied } = config;
  const projector = scope.at('vocab_projector');
  const words = scope.at('distilbert.embeddings.word_embeddings');
  const decoder = vocabularyProjection({
    vocabSize,
    width: hiddenSize,
    tied: tied ? wordTable(words, vocabSize, hiddenSize) : undefined,
    scope: projector,
    decoder: projector,
  });
  const dense = scope.at('vocab_transform');
  const norm = scope.at('vocab_layer_norm');
  const transform = new HeadTransform({ hiddenSize, activation, epsilon, dense, norm });
  return { head: new MaskedLmHead(transform, decoder) };
}

const pooler = (config: DistilBertConfig, scope: Scope): FirstTokenPooler =>
  new FirstTokenPooler(config.hiddenSize, 'relu', scope.at('pre_classifier'));

export const distilbert = family({
  config: distilBertConfig,
  encoder: (config, scope, top) => new DistilBert(config, scope.at('distilbert'), top),
  heads: {
    base: () => ({}),
    maskedLm,
    ...pooledHeads(pooler),
    ...tokenHeads,
  },
});
