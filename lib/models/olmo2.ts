import { decoderFamily } from './decoder.js';
import { decoderFields, rotaryPositions } from './decoder_config.js';
import { gatedDecoder } from './gated_decoder.js';

/** OLMo Team 2024, "2 OLMo 2 Furious": norms after each part, and of all queries and all keys at once (section 3.1). */
export const olmo2 = decoderFamily((config, scope) => {
  const fields = { ...decoderFields(config), feedForwardBias: false };
  const { size, maxPositions } = fields;
  return gatedDecoder(fields, scope, {
    rotary: rotaryPositions(config, size, scope, { maxPositions }),
    queryKeyNorm: 'whole',
    norms: 'after',
  });
});
