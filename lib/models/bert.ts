import { HeddleError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import type { EncoderLayerNames } from '../layers/block.js';
import { Embedding } from '../layers/embedding.js';
import type { Scope } from '../layers/scope.js';
import type { EncoderTop } from './encoder.js';
import { family, pooledHeads, tokenHeads } from './family.js';
import { FirstTokenPooler, HeadTransform, MaskedLmHead, vocabularyProjection } from './heads.js';
import { encoderFields, type ModelConfig } from './model_config.js';
import { PostNormEncoder, type PostNormNames } from './post_norm_encoder.js';

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

/** BERT's names of a layer's parts, which most families share. */
export const bertLayerNames: EncoderLayerNames = {
  query: 'attention.self.query',
  key: 'attention.self.key',
  value: 'attention.self.value',
  output: 'attention.output.dense',
  attentionNorm: 'attention.output.LayerNorm',
  up: 'intermediate.dense',
  down: 'output.dense',
  feedForwardNorm: 'output.LayerNorm',
};

export const bertNames: PostNormNames = {
  layerAt: (i) => `encoder.layer.${i}`,
  layer: bertLayerNames,
};

/** Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding". */
export class Bert extends PostNormEncoder {
  constructor(config: BertConfig, scope: Scope, top: EncoderTop) {
    super(config, bertNames, scope, top);
  }
}

/** BERT's pooler at `scope`. */
export const tanhPooler = (config: { hiddenSize: number }, scope: Scope): FirstTokenPooler =>
  new FirstTokenPooler(config.hiddenSize, 'tanh', scope);

/** The pooler of a base model, which some checkpoints lack. */
export const poolerIfThere = (config: { hiddenSize: number }, scope: Scope): EncoderTop =>
  scope.has('weight') ? { pooler: tanhPooler(config, scope) } : {};

/** The word embeddings, which a tied output projection shares. */
export const wordTable = (scope: Scope, vocabSize: number, width: number): Tensor =>
  new Embedding(vocabSize, width, { scope }).weight;

function maskedLm(config: BertConfig, scope: Scope): EncoderTop {
  const { vocabSize, hiddenSize, activation, epsilon, tied } = config;
  const predictions = scope.at('cls.predictions');
  const words = scope.at('bert.embeddings.word_embeddings');
  const decoder = vocabularyProjection({
    vocabSize,
    width: hiddenSize,
    tied: tied ? wordTable(words, vocabSize, hiddenSize) : undefined,
    scope: predictions,
    decoder: predictions.at('decoder'),
  });
  const dense = predictions.at('transform.dense');
  const norm = predictions.at('transform.LayerNorm');
  const transform = new HeadTransform({ hiddenSize, activation, epsilon, dense, norm });
  return { head: new MaskedLmHead(transform, decoder) };
}

/** Of the two heads of pre-training the one for words; what says whether a sentence follows another is left out. */
function wordsAlone(config: BertConfig, scope: Scope): EncoderTop {
  const { hiddenSize: width } = config;
  for (const [name, outputs] of [
    ['bert.pooler.dense', width],
    ['cls.seq_relationship', 2],
  ] as const) {
    scope.at(name).skip('weight', [outputs, width]);
    scope.at(name).skip('bias', [outputs]);
  }
  return maskedLm(config, scope);
}

export const bert = family({
  config: bertConfig,
  encoder: (config, scope, top) => new Bert(config, scope.at('bert'), top),
  heads: {
    base: (config, scope) => poolerIfThere(config, scope.at('bert.pooler.dense')),
    maskedLm,
    preTraining: wordsAlone,
    ...pooledHeads((config: BertConfig, scope) =>
      tanhPooler(config, scope.at('bert.pooler.dense')),
    ),
    ...tokenHeads,
  },
});
