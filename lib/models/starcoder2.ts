import { CausalAttention } from '../layers/causal_attention.js';
import { CausalBlock } from '../layers/causal_block.js';
import { Embedding } from '../layers/embedding.js';
import { FeedForward } from '../layers/feed_forward.js';
import { Linear } from '../layers/linear.js';
import { LayerNorm } from '../layers/norm.js';
import { SeparateProjections } from '../layers/query_key_value.js';
import { decoderFamily, languageModelHead } from './decoder.js';
import { decoderFields, rotaryPositions, windowOf } from './decoder_config.js';

/** Lozhkov et al. 2024, "StarCoder 2 and The Stack v2": layer norms, biases and a plain feed-forward network (section 6). */
export const starcoder2 = decoderFamily((config, scope) => {
  const base = decoderFields(config, { activation: 'gelu_pytorch_tanh' });
  const fields = { ...base, tied: config.boolean('tie_word_embeddings', { default: true }) };
  const { vocabSize, hiddenSize, numLayers, heads, keyHeads, size, maxPositions } = fields;
  const epsilon = config.number('norm_epsilon', { min: 0, default: 1e-5 });
  const bias = config.boolean('use_bias', { default: true });
  const rotary = rotaryPositions(config, size, scope, { maxPositions });
  const window = windowOf(config);
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
      const norm = (part: string): LayerNorm =>
        new LayerNorm(hiddenSize, { epsilon, scope: at.at(part) });
      return new CausalBlock({
        attention: new CausalAttention({
          layer,
          heads,
          keyHeads,
          size,
          projections: new SeparateProjections(hiddenSize, fields, {
            names: ['q_proj', 'k_proj', 'v_proj'],
            bias,
            scope: attention,
          }),
          output: new Linear(heads * size, hiddenSize, { bias, scope: attention.at('o_proj') }),
          rotary: rotary.positions,
          window,
        }),
        feedForward: new FeedForward({
          dModel: hiddenSize,
          dFeedForward: fields.intermediateSize,
          activation: fields.activation,
          bias,
          names: { up: 'c_fc', down: 'c_proj' },
          scope: at.at('mlp'),
        }),
        norms: {
          beforeAttention: norm('input_layernorm'),
          beforeFeedForward: norm('post_attention_layernorm'),
        },
      });
    }),
    norm: new LayerNorm(hiddenSize, { epsilon, scope: model.at('norm') }),
    makeHead: () => languageModelHead(fields, words, scope.at('lm_head')),
  };
});
