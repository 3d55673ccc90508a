import { mismatch } from '../errors.js';
import { CausalAttention } from '../layers/causal_attention.js';
import { CausalBlock } from '../layers/causal_block.js';
import { Embedding } from '../layers/embedding.js';
import { FeedForward } from '../layers/feed_forward.js';
import { Linear } from '../layers/linear.js';
import { LayerNorm } from '../layers/norm.js';
import { SeparateProjections } from '../layers/query_key_value.js';
import { decoderFamily, languageModelHead } from './decoder.js';
import { decoderFields, rotaryPositions } from './decoder_config.js';

/** Li et al. 2023, "Textbooks Are All You Need II: phi-1.5": parallel parts under one norm, biases everywhere, rotary positions of half of each head (section 2.1). */
export const phi = decoderFamily((config, scope) => {
  if (config.boolean('qk_layernorm', { default: false })) {
    throw mismatch('ERR_UNSUPPORTED', 'config.json: qk_layernorm', 'false', 'true');
  }
  const fields = decoderFields(config, { activation: 'gelu_new' });
  const { vocabSize, hiddenSize, numLayers, heads, keyHeads, size, maxPositions } = fields;
  const epsilon = config.number('layer_norm_eps', { min: 0, default: 1e-5 });
  const partial = { name: 'partial_rotary_factor', default: 0.5 };
  const rotary = rotaryPositions(config, size, scope, { maxPositions, partial });
  const model = scope.at('model');
  const words = new Embedding(vocabSize, hiddenSize, { scope: model.at('embed_tokens') });
  return {
    vocabSize,
    hiddenSize,
    maxPositions,
    heads: { heads, keyHeads, size },
    words,
    rotary,
    blocks: Array.from({ length: numLayers }, (_, layer) => {
      const at = model.at(`layers.${layer}`);
      const attention = at.at('self_attn');
      const norm = new LayerNorm(hiddenSize, { epsilon, scope: at.at('input_layernorm') });
      return new CausalBlock({
        attention: new CausalAttention({
          layer,
          heads,
          keyHeads,
          size,
          projections: new SeparateProjections(hiddenSize, fields, {
            names: ['q_proj', 'k_proj', 'v_proj'],
            bias: true,
            scope: attention,
          }),
          output: new Linear(heads * size, hiddenSize, { scope: attention.at('dense') }),
          rotary: rotary.positions,
        }),
        feedForward: new FeedForward({
          dModel: hiddenSize,
          dFeedForward: fields.intermediateSize,
          activation: fields.activation,
          names: { up: 'fc1', down: 'fc2' },
          scope: at.at('mlp'),
        }),
        norms: { beforeAttention: norm, beforeFeedForward: norm },
        parallel: true,
      });
    }),
    norm: new LayerNorm(hiddenSize, { epsilon, scope: model.at('final_layernorm') }),
    makeHead: () => languageModelHead(fields, words, scope.at('lm_head'), { bias: true }),
  };
});
