import type { Scope } from '../layers/scope.js';
import { Bert, type BertConfig, bertConfig, poolerIfThere, tanhPooler, wordTable } from './bert.js';
import type { EncoderTop } from './encoder.js';
import { family, tokenHeads } from './family.js';
import {
  HeadTransform,
  MaskedLmHead,
  MultipleChoice,
  SequenceClassifier,
  vocabularyProjection,
} from './heads.js';
import type { ModelConfig } from './model_config.js';

/** Positions count the ids that are not padding, from padId + 1 on; padding itself has position padId. */
export function positionsAfterPadding(ids: readonly number[], padId: number): number[] {
  let position = padId;
  return ids.map((id) => (id === padId ? padId : ++position));
}

/**
 * Liu et al. 2019, "RoBERTa: A Robustly Optimized BERT Pretraining Approach": BERT with other positions and heads. And
 * Conneau et al. 2020, "Unsupervised Cross-lingual Representation Learning at Scale": the same with more words.
 */
export class Roberta extends Bert {
  private readonly padId: number;

  constructor(config: BertConfig, scope: Scope, top: EncoderTop) {
    super(config, scope, top);
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

/** The masked-language-model head of RoBERTa, which MPNet shares. @param words the word embeddings. */
export function lmHead(
  config: { vocabSize: number; hiddenSize: number; epsilon: number; tied: boolean },
  scope: Scope,
  words: Scope,
): EncoderTop {
  const { vocabSize, hiddenSize, epsilon, tied } = config;
  const decoder = vocabularyProjection({
    vocabSize,
    width: hiddenSize,
    tied: tied ? wordTable(words, vocabSize, hiddenSize) : undefined,
    scope,
    decoder: scope.at('decoder'),
  });
  const dense = scope.at('dense');
  const norm = scope.at('layer_norm');
  const transform = new HeadTransform({ hiddenSize, activation: 'gelu', epsilon, dense, norm });
  return { head: new MaskedLmHead(transform, decoder) };
}

/** The classifier of RoBERTa, which MPNet shares: dense and tanh of the first token, then the output. */
export function firstTokenClassifier(
  config: { hiddenSize: number; labels: number },
  scope: Scope,
): EncoderTop {
  const { hiddenSize, labels } = config;
  const pooler = tanhPooler(config, scope.at('dense'));
  return { head: new SequenceClassifier(pooler, hiddenSize, labels, scope.at('out_proj')) };
}

/** RoBERTa and XLM-RoBERTa, whose checkpoints have the same names. */
export const roberta = family({
  config: robertaConfig,
  encoder: (config, scope, top) => new Roberta(config, scope.at('roberta'), top),
  heads: {
    base: (config, scope) => poolerIfThere(config, scope.at('roberta.pooler.dense')),
    maskedLm: (config, scope) =>
      lmHead(config, scope.at('lm_head'), scope.at('roberta.embeddings.word_embeddings')),
    sequenceClassification: (config, scope) => firstTokenClassifier(config, scope.at('classifier')),
    ...tokenHeads,
    multipleChoice: (config, scope) => {
      const pooler = tanhPooler(config, scope.at('roberta.pooler.dense'));
      return { head: new MultipleChoice(pooler, config.hiddenSize, scope.at('classifier')) };
    },
  },
});
