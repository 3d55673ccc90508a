import { decoderFamily } from './decoder.js';
import { decoderFields, rotaryPositions, windowOf } from './decoder_config.js';
import { gatedDecoder } from './gated_decoder.js';

/** Abdin et al. 2024, "Phi-3 Technical Report": Llama with fused projections, and LongRoPE where the context is long (section 2). */
export const phi3 = decoderFamily((config, scope) => {
  const fields = { ...decoderFields(config), attentionBias: false, feedForwardBias: false };
  const { size, maxPositions } = fields;
  const window = windowOf(config);
  const partial = { name: 'partial_rotary_factor', default: 1 };
  return gatedDecoder(fields, scope, {
    rotary: rotaryPositions(config, size, scope, { maxPositions, partial }),
    windowOf: () => window,
    fused: true,
  });
});
