import { decoderFamily } from './decoder.js';
import { decoderFields, rotaryPositions, windowOf } from './decoder_config.js';
import { gatedDecoder } from './gated_decoder.js';

/** Jiang et al. 2023, "Mistral 7B": Llama with a sliding window in every layer (section 2). */
export const mistral = decoderFamily((config, scope) => {
  const fields = { ...decoderFields(config), attentionBias: false, feedForwardBias: false };
  const { size, maxPositions } = fields;
  const rotary = rotaryPositions(config, size, scope, { maxPositions });
  const window = windowOf(config);
  return gatedDecoder(fields, scope, { rotary, windowOf: () => window });
});
