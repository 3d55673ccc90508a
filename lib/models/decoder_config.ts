/** The fields of config.json that decoder-only families share. */
import { HeddleError, mismatch } from '../errors.js';
import { scaledFrequencies } from '../layers/rope_scaling.js';
import { RotaryPositions } from '../layers/rotary.js';
import type { Scope } from '../layers/scope.js';
import { activationOf, type ModelConfig } from './model_config.js';
import { type RopeConfig, type RopeOptions, ropeConfig } from './rope_config.js';

/** Llama's names of the fields, which most families took over. */
export function decoderFields(config: ModelConfig, defaults: { activation?: string } = {}) {
  const hiddenSize = config.integer('hidden_size', { min: 1 });
  const heads = config.integer('num_attention_heads', { min: 1 });
  const keyHeads = config.integer('num_key_value_heads', { min: 1, default: heads });
  const activation = config.string('hidden_act', {
    default: defaults.activation ?? 'silu',
    aliases: ['hidden_activation'],
  });
  const size = config.has('head_dim')
    ? config.integer('head_dim', { min: 1 })
    : headSize(hiddenSize, heads);
  return {
    vocabSize: config.integer('vocab_size', { min: 1 }),
    hiddenSize,
    numLayers: config.integer('num_hidden_layers', { min: 0 }),
    ...checkedHeads({ heads, keyHeads, size }),
    intermediateSize: config.integer('intermediate_size', { min: 1 }),
    activation: activationOf(activation, 'hidden_act'),
    epsilon: config.number('rms_norm_eps', { min: 0, default: 1e-6 }),
    maxPositions: config.integer('max_position_embeddings', { min: 1 }),
    attentionBias: config.boolean('attention_bias', { default: false }),
    feedForwardBias: config.boolean('mlp_bias', { default: false }),
    tied: config.boolean('tie_word_embeddings', { default: false }),
  };
}
export type DecoderFields = ReturnType<typeof decoderFields>;

/** Of heads that share the width. Throws ERR_CONFIG unless they divide it. */
export function headSize(hiddenSize: number, heads: number): number {
  const size = hiddenSize / heads;
  if (Number.isInteger(size)) return size;
  throw mismatch(
    'ERR_CONFIG',
    'config.json: num_attention_heads',
    `a divisor of hidden_size, ${hiddenSize}`,
    `${heads}`,
  );
}

/** Throws ERR_CONFIG unless the key heads divide the heads. */
export function checkedHeads<H extends { heads: number; keyHeads: number }>(given: H): H {
  if (given.heads % given.keyHeads === 0) return given;
  const found = `${given.keyHeads} for ${given.heads} heads`;
  throw new HeddleError(
    'ERR_CONFIG',
    `config.json: num_key_value_heads: expected a divisor of num_attention_heads, found ${found}`,
    { where: 'num_key_value_heads', found },
  );
}

/** A sliding window, or undefined where the field is null, absent or 0. */
export function windowOf(config: ModelConfig): number | undefined {
  return config.integer('sliding_window', { default: 0 }) || undefined;
}

/** Which layers attend within the window only: `layer_types`, else as the family has them. */
export function slidingLayers(
  config: ModelConfig,
  numLayers: number,
  slides: (layer: number) => boolean,
): boolean[] {
  const types = config.stringList('layer_types', { default: [] });
  if (types.length === 0) return Array.from({ length: numLayers }, (_, i) => slides(i));
  const known = ['full_attention', 'sliding_attention'];
  const unknown = types.find((type) => !known.includes(type));
  if (unknown === undefined && types.length === numLayers) {
    return types.map((type) => type === 'sliding_attention');
  }
  const found = unknown === undefined ? `${types.length}` : `'${unknown}'`;
  throw new HeddleError(
    'ERR_CONFIG',
    `config.json: layer_types: expected ${numLayers} of ${known.join(', ')}, found ${found}`,
    { where: 'layer_types', found },
  );
}

/** Rotary positions as a config.json says them. */
export interface Rotary {
  readonly positions: RotaryPositions;
  readonly config: RopeConfig;
}

/** Makes the tables of a model's angles. @param size of a head. */
export function rotaryPositions(
  config: ModelConfig,
  size: number,
  scope: Scope,
  options: RopeOptions,
): Rotary {
  const rope = ropeConfig(config, options);
  const dims = Math.floor(size * rope.partial);
  const [frequencies, ...variants] = scaledFrequencies(dims, rope.base, rope.scaling);
  const positions = new RotaryPositions({
    frequencies,
    variants,
    maxLength: options.maxPositions,
    scale: rope.attentionFactor,
    scope,
  });
  return { positions, config: rope };
}
