import { decoderFamily } from './decoder.js';
import { decoderFields, rotaryPositions } from './decoder_config.js';
import { gatedDecoder } from './gated_decoder.js';

/** Touvron et al. 2023, "Llama 2: Open Foundation and Fine-Tuned Chat Models"; section 2.2 and Dubey et al. 2024, "The Llama 3 Herd of Models", section 3.2. */
export const llama = decoderFamily((config, scope) => {
  const fields = decoderFields(config);
  const { size, maxPositions } = fields;
  const rotary = rotaryPositions(config, size, scope, { maxPositions });
  return gatedDecoder(fields, scope, { rotary });
});
