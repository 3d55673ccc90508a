import { decoderFamily } from './decoder.js';
import { decoderFields, rotaryPositions, slidingLayers, windowOf } from './decoder_config.js';
import { gatedDecoder } from './gated_decoder.js';
import type { ModelConfig } from './model_config.js';

/** See `Period`. */
export const smollm3Period = (config: ModelConfig): number =>
  config.integer('no_rope_layer_interval', { min: 1, default: 4 });

/** Bakouch et al. 2025, "SmolLM3": Llama, some of whose layers have no positions (Yang et al. 2025, "RoPE to NoPE and Back Again"). */
export const smollm3 = decoderFamily((config, scope) => {
  const fields = {
    ...decoderFields(config),
    tied: config.boolean('tie_word_embeddings', { default: true }),
  };
  const { size, maxPositions, numLayers } = fields;
  const theta = { name: 'rope_theta', default: 2e6 };
  const rotary = rotaryPositions(config, size, scope, { maxPositions, theta });
  const every = smollm3Period(config);
  const given = config.numberList('no_rope_layers', { default: [] });
  // The field's name says the opposite of what its numbers mean: 1 where a layer has positions.
  const turns = (layer: number): boolean =>
    given.length > 0 ? given[layer] === 1 : (layer + 1) % every !== 0;
  const uses = config.boolean('use_sliding_window', { default: false });
  const window = uses ? windowOf(config) : undefined;
  const slides = slidingLayers(config, numLayers, (layer) => !turns(layer));
  return gatedDecoder(fields, scope, {
    rotary,
    rotaryOf: (layer) => (turns(layer) ? rotary.positions : undefined),
    windowOf: (layer) => (slides[layer] ? window : undefined),
  });
});
