import type { Scope } from '../layers/scope.js';
import { Bert, type BertConfig, bertConfig, wordTable } from './bert.js';
import type { Encoder, EncoderTop } from './encoder.js';
import {
  FirstTokenPooler,
  MaskedLmHead,
  SequenceClassifier,
  TokenClassifier,
  vocabularyProjection,
} from './heads.js';
import type { ModelConfig } from './model_config.js';

/** Positions count the ids that are not padding, from padId + 1 on; padding itself has position padId. */
export function positionsAfterPadding(ids: readonly number[], padId: number): number[] {
  let position = padId;
  return ids.map((id) => (id === padId ? padId : ++position));
}

/** Liu et al. 2019, "RoBERTa: A Robustly Optimized BERT Pretraining Approach": BERT with other positions and heads. */
export class Roberta extends Bert {
  private readonly padId: number;

  constructor(config: BertConfig, scope: Scope, parts: EncoderTop = {}) {
    super(config, scope, parts);
    this.padId = config.padId;
  }

  override positionIds(ids: readonly number[]): number[] {
    return positionsAfterPadding(ids, this.padId);
  }
}

/** Differs from BERT's in its default for pad_token_id. */
const robertaConfig = (source: ModelConfig): BertConfig => ({
  ...bertConfig(source),
  padId: source.integer('pad_token_id', { min: 0, default: 1 }),
});

export function robertaModel(source: ModelConfig, scope: Scope): Encoder {
  const config = robertaConfig(source);
  const dense = scope.at('roberta.pooler.dense');
  const parts = dense.has('weight')
    ? { pooler: new FirstTokenPooler(config.hiddenSize, 'tanh', dense) }
    : {};
  return new Roberta(config, scope.at('roberta'), parts);
}

export function robertaForMaskedLm(source: ModelConfig, scope: Scope): Encoder {
  const config = robertaConfig(source);
  const words = scope.at('roberta.embeddings.word_embeddings');
  const head = lmHead(config, scope.at('lm_head'), words);
  return new Roberta(config, scope.at('roberta'), { head });
}

/** The masked-language-model head of RoBERTa, which MPNet shares. */
export function lmHead(
  config: { vocabSize: number; hiddenSize: number; epsilon: number; tied: boolean },
  scope: Scope,
  words: Scope,
): MaskedLmHead {
  const { vocabSize, hiddenSize, epsilon, tied } = config;
  return new MaskedLmHead({
    hiddenSize,
    activation: 'gelu',
    epsilon,
    dense: scope.at('dense'),
    norm: scope.at('layer_norm'),
    decoder: vocabularyProjection({
      vocabSize,
      hiddenSize,
      tied: tied ? wordTable(words, config) : undefined,
      scope,
      decoder: scope.at('decoder'),
    }),
  });
}

/** The classifier of RoBERTa, which MPNet shares: dense and tanh of the first token, then the output. */
export function firstTokenClassifier(
  hiddenSize: number,
  labels: number,
  scope: Scope,
): SequenceClassifier {
  const pooler = new FirstTokenPooler(hiddenSize, 'tanh', scope.at('dense'));
  return new SequenceClassifier(pooler, hiddenSize, labels, scope.at('out_proj'));
}

export function robertaForSequenceClassification(source: ModelConfig, scope: Scope): Encoder {
  const config = robertaConfig(source);
  const head = firstTokenClassifier(config.hiddenSize, config.labels, scope.at('classifier'));
  return new Roberta(config, scope.at('roberta'), { head });
}

export function robertaForTokenClassification(source: ModelConfig, scope: Scope): Encoder {
  const config = robertaConfig(source);
  const head = new TokenClassifier(config.hiddenSize, config.labels, scope.at('classifier'));
  return new Roberta(config, scope.at('roberta'), { head });
}
