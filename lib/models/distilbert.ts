import type { Scope } from '../layers/scope.js';
import { wordTable } from './bert.js';
import { Encoder, type EncoderNames, type EncoderTop } from './encoder.js';
import {
  FirstTokenPooler,
  MaskedLmHead,
  SequenceClassifier,
  TokenClassifier,
  vocabularyProjection,
} from './heads.js';
import { activationOf, type ModelConfig } from './model_config.js';

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

const names: EncoderNames = {
  stack: 'transformer.layer',
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
export class DistilBert extends Encoder {
  constructor(config: DistilBertConfig, scope: Scope, parts: EncoderTop = {}) {
    super(config, names, scope, parts);
  }
}

export const distilBertModel = (source: ModelConfig, scope: Scope): Encoder =>
  new DistilBert(distilBertConfig(source), scope.at('distilbert'));

export function distilBertForMaskedLm(source: ModelConfig, scope: Scope): Encoder {
  const config = distilBertConfig(source);
  const { vocabSize, hiddenSize, activation, epsilon } = config;
  const projector = scope.at('vocab_projector');
  const words = scope.at('distilbert.embeddings.word_embeddings');
  const decoder = vocabularyProjection({
    vocabSize,
    hiddenSize,
    tied: config.tied ? wordTable(words, config) : undefined,
    scope: projector,
    decoder: projector,
  });
  const dense = scope.at('vocab_transform');
  const norm = scope.at('vocab_layer_norm');
  const head = new MaskedLmHead({ hiddenSize, activation, epsilon, dense, norm, decoder });
  return new DistilBert(config, scope.at('distilbert'), { head });
}

export function distilBertForSequenceClassification(source: ModelConfig, scope: Scope): Encoder {
  const config = distilBertConfig(source);
  const { hiddenSize, labels } = config;
  const pooler = new FirstTokenPooler(hiddenSize, 'relu', scope.at('pre_classifier'));
  const head = new SequenceClassifier(pooler, hiddenSize, labels, scope.at('classifier'));
  return new DistilBert(config, scope.at('distilbert'), { head });
}

export function distilBertForTokenClassification(source: ModelConfig, scope: Scope): Encoder {
  const config = distilBertConfig(source);
  const head = new TokenClassifier(config.hiddenSize, config.labels, scope.at('classifier'));
  return new DistilBert(config, scope.at('distilbert'), { head });
}
