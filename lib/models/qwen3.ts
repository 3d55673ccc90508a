import { decoderFamily } from './decoder.js';
import { decoderFields, rotaryPositions } from './decoder_config.js';
import { gatedDecoder } from './gated_decoder.js';
import { qwenWindow } from './qwen_window.js';

/** Yang et al. 2025, "Qwen3 Technical Report": norms of each head's queries and keys (section 2). */
export const qwen3 = decoderFamily((config, scope) => {
  const fields = { ...decoderFields(config), feedForwardBias: false };
  const { size, maxPositions, numLayers } = fields;
  return gatedDecoder(fields, scope, {
    rotary: rotaryPositions(config, size, scope, { maxPositions }),
    queryKeyNorm: 'perHead',
    windowOf: qwenWindow(config, numLayers),
  });
});
