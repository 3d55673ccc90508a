import { HeddleError } from '../errors.js';
import type { EncoderLayerNames } from '../layers/block.js';
import type { Scope } from '../layers/scope.js';
import { bertConfig, poolerIfThere, tanhPooler, wordTable } from './bert.js';
import type { EncoderTop } from './encoder.js';
import { family, pooledHeads, tokenHeads } from './family.js';
import { HeadTransform, MaskedLmHead, vocabularyProjection } from './heads.js';
import { activationOf, type ModelConfig } from './model_config.js';
import { PostNormEncoder } from './post_norm_encoder.js';

function albertConfig(config: ModelConfig) {
  const fields = bertConfig(config);
  const groups = config.integer('num_hidden_groups', { min: 1, default: 1 });
  const layersOfGroup = config.integer('inner_group_num', { min: 1, default: 1 });
  if (groups > fields.numLayers) {
    throw new HeddleError(
      'ERR_CONFIG',
      `config.json: num_hidden_groups: expected at most num_hidden_layers, ${fields.numLayers}, found ${groups}`,
      { where: 'num_hidden_groups', found: `${groups}` },
    );
  }
  return {
    ...fields,
    activation: activationOf(config.string('hidden_act', { default: 'gelu_new' }), 'hidden_act'),
    embeddingSize: config.integer('embedding_size', { min: 1, default: 128 }),
    rounds: fields.numLayers,
    groups,
    layersOfGroup,
    numLayers: fields.numLayers * layersOfGroup,
  };
}
type AlbertConfig = ReturnType<typeof albertConfig>;

const layer: EncoderLayerNames = {
  query: 'attention.query',
  key: 'attention.key',
  value: 'attention.value',
  output: 'attention.dense',
  attentionNorm: 'attention.LayerNorm',
  up: 'ffn',
  down: 'ffn_output',
  feedForwardNorm: 'full_layer_layer_norm',
};

/**
 * Lan et al. 2020, "ALBERT: A Lite BERT for Self-supervised Learning of Language Representations": narrow embeddings
 * and layers that share their parameters, by groups (section 3.1).
 */
export class Albert extends PostNormEncoder {
  constructor(config: AlbertConfig, scope: Scope, top: EncoderTop) {
    const { rounds, groups, layersOfGroup } = config;
    const layerAt = (i: number): string => {
      const group = Math.trunc(Math.floor(i / layersOfGroup) / (rounds / groups));
      return `encoder.albert_layer_groups.${group}.albert_layers.${i % layersOfGroup}`;
    };
    super(
      config,
      { layerAt, layer, projection: 'encoder.embedding_hidden_mapping_in' },
      scope,
      top,
    );
  }
}

function maskedLm(config: AlbertConfig, scope: Scope): EncoderTop {
  const { vocabSize, hiddenSize, embeddingSize: width, activation, epsilon, tied } = config;
  const predictions = scope.at('predictions');
  const words = scope.at('albert.embeddings.word_embeddings');
  const decoder = vocabularyProjection({
    vocabSize,
    width,
    tied: tied ? wordTable(words, vocabSize, width) : undefined,
    scope: predictions,
    decoder: predictions.at('decoder'),
  });
  const dense = predictions.at('dense');
  const norm = predictions.at('LayerNorm');
  const transform = new HeadTransform({ hiddenSize, width, activation, epsilon, dense, norm });
  return { head: new MaskedLmHead(transform, decoder) };
}

export const albert = family({
  config: albertConfig,
  encoder: (config, scope, top) => new Albert(config, scope.at('albert'), top),
  heads: {
    base: (config, scope) => poolerIfThere(config, scope.at('albert.pooler')),
    maskedLm,
    // Of its two heads the one for words; what says whether sentences are in order is left out.
    preTraining: maskedLm,
    ...pooledHeads((config: AlbertConfig, scope) => tanhPooler(config, scope.at('albert.pooler'))),
    ...tokenHeads,
  },
});
