import { decoderFamily } from './decoder.js';
import { decoderFields, rotaryPositions, slidingLayers, windowOf } from './decoder_config.js';
import { gatedDecoder } from './gated_decoder.js';

/** See `Period`. */
export const gemma2Period = (): number => 2;

/** Gemma Team 2024, "Gemma 2": four norms a layer, soft-caps, and a sliding window in every second layer (section 2). */
export const gemma2 = decoderFamily((config, scope) => {
  const base = decoderFields(config, { activation: 'gelu_pytorch_tanh' });
  const tied = config.boolean('tie_word_embeddings', { default: true });
  const fields = { ...base, tied, feedForwardBias: false };
  const { size, maxPositions, numLayers, hiddenSize } = fields;
  const window = windowOf(config);
  const slides = slidingLayers(config, numLayers, (layer) => layer % gemma2Period() === 0);
  return gatedDecoder(fields, scope, {
    rotary: rotaryPositions(config, size, scope, { maxPositions }),
    windowOf: (layer) => (slides[layer] ? window : undefined),
    norms: 'both',
    normOffset: 1,
    scale: 1 / Math.sqrt(config.number('query_pre_attn_scalar', { min: 1, default: 256 })),
    softCap: config.number('attn_logit_softcapping', { min: 0, default: 0 }),
    logits: { softCap: config.number('final_logit_softcapping', { min: 0, default: 0 }) },
    embeddingScale: Math.sqrt(hiddenSize),
  });
});
