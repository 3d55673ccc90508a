import { mismatch } from '../errors.js';
import { decoderFamily } from './decoder.js';
import { decoderFields, rotaryPositions } from './decoder_config.js';
import { gatedDecoder } from './gated_decoder.js';

/** Bellagente et al. 2024, "Stable LM 2 1.6B Technical Report": Llama with layer norms, and rotary positions of a quarter of each head (section 2). */
export const stableLm = decoderFamily((config, scope) => {
  if (config.boolean('qk_layernorm', { default: false })) {
    throw mismatch('ERR_UNSUPPORTED', 'config.json: qk_layernorm', 'false', 'true');
  }
  const epsilon = config.number('layer_norm_eps', { min: 0, default: 1e-5 });
  const fields = { ...decoderFields(config), epsilon, feedForwardBias: false };
  const { size, maxPositions } = fields;
  const partial = { name: 'partial_rotary_factor', default: 0.25 };
  return gatedDecoder(fields, scope, {
    rotary: rotaryPositions(config, size, scope, { maxPositions, partial }),
    bias: { projections: config.boolean('use_qkv_bias', { default: false }), output: false },
    norm: 'layer',
    norms: config.boolean('use_parallel_residual', { default: false }) ? 'shared' : 'before',
  });
});
