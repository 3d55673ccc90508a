import { HeddleError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { Embedding } from '../layers/embedding.js';
import type { Scope } from '../layers/scope.js';
import { Encoder, type EncoderNames, type EncoderTop } from './encoder.js';
import {
  FirstTokenPooler,
  MaskedLmHead,
  SequenceClassifier,
  TokenClassifier,
  vocabularyProjection,
} from './heads.js';
import { encoderFields, type ModelConfig } from './model_config.js';

export function bertConfig(config: ModelConfig) {
  const kind = config.string('position_embedding_type', { default: 'absolute' });
  if (kind !== 'absolute') {
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      `config.json: position_embedding_type: expected 'absolute', found '${kind}'`,
    );
  }
  return {
    ...encoderFields(config),
    typeVocabSize: config.integer('type_vocab_size', { min: 1, default: 2 }),
    padId: config.integer('pad_token_id', { min: 0, default: 0 }),
  };
}
export type BertConfig = ReturnType<typeof bertConfig>;

const names: EncoderNames = {
  stack: 'encoder.layer',
  layer: {
    query: 'attention.self.query',
    key: 'attention.self.key',
    value: 'attention.self.value',
    output: 'attention.output.dense',
    attentionNorm: 'attention.output.LayerNorm',
    up: 'intermediate.dense',
    down: 'output.dense',
    feedForwardNorm: 'output.LayerNorm',
  },
};

/** Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding". */
export class Bert extends Encoder {
  constructor(config: BertConfig, scope: Scope, parts: EncoderTop = {}) {
    super(config, names, scope, parts);
  }
}

const pooler = (config: BertConfig, scope: Scope): FirstTokenPooler =>
  new FirstTokenPooler(config.hiddenSize, 'tanh', scope.at('bert.pooler.dense'));

export function bertModel(source: ModelConfig, scope: Scope): Encoder {
  const config = bertConfig(source);
  const hasPooler = scope.has('bert.pooler.dense.weight');
  return new Bert(config, scope.at('bert'), hasPooler ? { pooler: pooler(config, scope) } : {});
}

export function bertForMaskedLm(source: ModelConfig, scope: Scope): Encoder {
  const config = bertConfig(source);
  const { vocabSize, hiddenSize, activation, epsilon } = config;
  const words = scope.at('bert.embeddings.word_embeddings');
  const predictions = scope.at('cls.predictions');
  const decoder = vocabularyProjection({
    vocabSize,
    hiddenSize,
    tied: config.tied ? wordTable(words, config) : undefined,
    scope: predictions,
    decoder: predictions.at('decoder'),
  });
  const dense = predictions.at('transform.dense');
  const norm = predictions.at('transform.LayerNorm');
  const head = new MaskedLmHead({ hiddenSize, activation, epsilon, dense, norm, decoder });
  return new Bert(config, scope.at('bert'), { head });
}

/** The word embeddings, which a tied output projection shares. */
export const wordTable = (
  scope: Scope,
  config: { vocabSize: number; hiddenSize: number },
): Tensor => new Embedding(config.vocabSize, config.hiddenSize, { scope }).weight;

export function bertForSequenceClassification(source: ModelConfig, scope: Scope): Encoder {
  const config = bertConfig(source);
  const { hiddenSize, labels } = config;
  const classifier = scope.at('classifier');
  const head = new SequenceClassifier(pooler(config, scope), hiddenSize, labels, classifier);
  return new Bert(config, scope.at('bert'), { head });
}

export function bertForTokenClassification(source: ModelConfig, scope: Scope): Encoder {
  const config = bertConfig(source);
  const head = new TokenClassifier(config.hiddenSize, config.labels, scope.at('classifier'));
  return new Bert(config, scope.at('bert'), { head });
}
