import { HeddleError } from '../errors.js';
import { decoderFamily } from './decoder.js';
import { decoderFields, rotaryPositions, slidingLayers, windowOf } from './decoder_config.js';
import { gatedDecoder } from './gated_decoder.js';
import type { ModelConfig } from './model_config.js';

/** See `Period`. */
export const gemma3Period = (config: ModelConfig): number =>
  config.integer('sliding_window_pattern', {
    min: 1,
    default: config.integer('_sliding_window_pattern', { min: 1, default: 6 }),
  });

/** Gemma Team 2025, "Gemma 3 Technical Report": five local layers for each global one, with angles of their own (section 2). */
export const gemma3 = decoderFamily((config, scope) => {
  if (config.boolean('use_bidirectional_attention', { default: false })) {
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      'config.json: use_bidirectional_attention: expected false, found true',
      { where: 'use_bidirectional_attention' },
    );
  }
  const base = decoderFields(config, { activation: 'gelu_pytorch_tanh' });
  const tied = config.boolean('tie_word_embeddings', { default: true });
  const fields = { ...base, tied, feedForwardBias: false };
  const { size, maxPositions, numLayers, hiddenSize } = fields;
  const window = windowOf(config);
  const every = gemma3Period(config);
  const slides = slidingLayers(config, numLayers, (layer) => (layer + 1) % every !== 0);
  const rotary = rotaryPositions(config, size, scope.at('full'), {
    maxPositions,
    layerType: 'full_attention',
    theta: { name: 'rope_theta', default: 1e6 },
  });
  const local = rotaryPositions(config, size, scope.at('sliding'), {
    maxPositions,
    layerType: 'sliding_attention',
    theta: { name: 'rope_local_base_freq', default: 1e4 },
    scaled: false,
  });
  return gatedDecoder(fields, scope, {
    rotary,
    rotaryOf: (layer) => (slides[layer] ? local : rotary).positions,
    windowOf: (layer) => (slides[layer] ? window : undefined),
    queryKeyNorm: 'perHead',
    norms: 'both',
    normOffset: 1,
    scale: 1 / Math.sqrt(config.number('query_pre_attn_scalar', { min: 1, default: 256 })),
    logits: { softCap: config.number('final_logit_softcapping', { min: 0, default: 0 }) },
    embeddingScale: Math.sqrt(hiddenSize),
  });
});
