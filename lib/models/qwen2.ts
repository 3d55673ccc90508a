import { decoderFamily } from './decoder.js';
import { decoderFields, rotaryPositions } from './decoder_config.js';
import { gatedDecoder } from './gated_decoder.js';
import { qwenWindow } from './qwen_window.js';

/** Yang et al. 2024, "Qwen2 Technical Report": biases of queries, keys and values (section 2.2). */
export const qwen2 = decoderFamily((config, scope) => {
  const fields = { ...decoderFields(config), feedForwardBias: false };
  const { size, maxPositions, numLayers } = fields;
  return gatedDecoder(fields, scope, {
    rotary: rotaryPositions(config, size, scope, { maxPositions }),
    bias: { projections: true, output: false },
    windowOf: qwenWindow(config, numLayers),
  });
});
