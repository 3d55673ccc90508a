import { HeddleError } from '../errors.js';
import { activationOf, encoderFields, type ModelConfig } from './model_config.js';

/** How distances are told apart, or undefined where `relative_attention` is off. */
function relativeFields(config: ModelConfig, maxPositions: number) {
  if (!config.boolean('relative_attention', { default: false })) return undefined;
  const given = config.integer('max_relative_positions', { min: -1, default: -1 });
  const reach = given < 1 ? maxPositions : given;
  const buckets = config.integer('position_buckets', { min: -1, default: -1 });
  if (buckets > 0 && reach - 1 <= Math.floor(buckets / 2)) {
    throw new HeddleError(
      'ERR_CONFIG',
      `config.json: position_buckets: expected fewer than twice the relative positions, ${reach}, found ${buckets}`,
      { where: 'position_buckets', found: `${buckets}` },
    );
  }
  const norms = config.string('norm_rel_ebd', { default: 'none' }).toLowerCase().split('|');
  return {
    span: buckets > 0 ? buckets : reach,
    bucketed: buckets > 0 ? { reach } : undefined,
    normalized: norms.some((norm) => norm.trim() === 'layer_norm'),
  };
}

/** `pos_att_type`: a list, or names with bars between them. */
function positionTerms(config: ModelConfig): readonly string[] {
  const value = config.stringOrList('pos_att_type', { default: [] });
  return value.flatMap((names) => names.toLowerCase().split('|')).map((name) => name.trim());
}

/** The convolution beside the first layer, which the largest models have. */
function convolutionFields(config: ModelConfig) {
  const size = config.integer('conv_kernel_size', { min: 0, default: 0 });
  const groups = config.integer('conv_groups', { min: 1, default: 1 });
  if (size === 0) return undefined;
  if (size % 2 === 0 || groups !== 1) {
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      `config.json: conv_kernel_size: expected an odd number, in one group, found ${size} in ${groups}`,
      { where: 'conv_kernel_size', found: `${size}` },
    );
  }
  return {
    size,
    activation: activationOf(config.string('conv_act', { default: 'tanh' }), 'conv_act'),
  };
}

export function debertaV2Config(config: ModelConfig) {
  const fields = encoderFields(config);
  const types = config.integer('type_vocab_size', { min: 0, default: 0 });
  const terms = positionTerms(config);
  return {
    ...fields,
    epsilon: config.number('layer_norm_eps', { min: 0, default: 1e-7 }),
    maxPositions: config.integer('max_position_embeddings', { min: 1, default: 512 }),
    embeddingSize: config.integer('embedding_size', { min: 1, default: fields.hiddenSize }),
    hasPositionTable: config.boolean('position_biased_input', { default: true }),
    relative: relativeFields(config, fields.maxPositions),
    contentToPosition: terms.includes('c2p'),
    positionToContent: terms.includes('p2c'),
    shared: config.boolean('share_att_key', { default: false }),
    convolution: convolutionFields(config),
    legacy: config.boolean('legacy', { default: true }),
    poolerActivation: activationOf(
      config.string('pooler_hidden_act', { default: 'gelu' }),
      'pooler_hidden_act',
    ),
    ...(types > 0 ? { typeVocabSize: types } : {}),
  };
}
export type DebertaV2Config = ReturnType<typeof debertaV2Config>;
