import { decoderFamily } from './decoder.js';
import { decoderFields, rotaryPositions } from './decoder_config.js';
import { gatedDecoder } from './gated_decoder.js';

/** IBM 2024, "Granite 3.0 Language Models": Llama with a factor at each place where its scale matters (section 3, after Yang et al. 2022, "Tensor Programs V"). */
export const granite = decoderFamily((config, scope) => {
  const fields = decoderFields(config);
  const { size, maxPositions } = fields;
  return gatedDecoder(fields, scope, {
    rotary: rotaryPositions(config, size, scope, { maxPositions }),
    scale: config.number('attention_multiplier', { default: 1 }),
    embeddingScale: config.number('embedding_multiplier', { default: 1 }),
    residualScale: config.number('residual_multiplier', { default: 1 }),
    logits: { divisor: config.number('logits_scaling', { default: 1 }) },
  });
});
