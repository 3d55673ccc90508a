import { CausalAttention } from '../layers/causal_attention.js';
import { CausalBlock } from '../layers/causal_block.js';
import { Embedding } from '../layers/embedding.js';
import { FeedForward } from '../layers/feed_forward.js';
import { Linear } from '../layers/linear.js';
import { LayerNorm } from '../layers/norm.js';
import { FusedProjection } from '../layers/query_key_value.js';
import { decoderFamily, languageModelHead } from './decoder.js';
import { decoderFields, headSize, rotaryPositions } from './decoder_config.js';

/** Black et al. 2022, "GPT-NeoX-20B": parallel parts, and rotary positions of a part of each head (section 2.1). */
export const gptNeox = decoderFamily((config, scope) => {
  const fields = decoderFields(config, { activation: 'gelu' });
  const { vocabSize, hiddenSize, numLayers, heads, maxPositions, intermediateSize } = fields;
  const epsilon = config.number('layer_norm_eps', { min: 0, default: 1e-5 });
  const bias = config.boolean('attention_bias', { default: true });
  const parallel = config.boolean('use_parallel_residual', { default: true });
  const size = headSize(hiddenSize, heads);
  const shape = { heads, keyHeads: heads, size };
  const rotary = rotaryPositions(config, size, scope, {
    maxPositions,
    theta: { name: 'rotary_emb_base', default: 10000 },
    partial: { name: 'rotary_pct', default: 0.25 },
  });
  const model = scope.at('gpt_neox');
  const words = new Embedding(vocabSize, hiddenSize, { scope: model.at('embed_in') });
  return {
    vocabSize,
    hiddenSize,
    maxPositions,
    heads: shape,
    words,
    rotary,
    blocks: Array.from({ length: numLayers }, (_, layer) => {
      const at = model.at(`layers.${layer}`);
      const attention = at.at('attention');
      const norm = (part: string): LayerNorm =>
        new LayerNorm(hiddenSize, { epsilon, scope: at.at(part) });
      return new CausalBlock({
        attention: new CausalAttention({
          layer,
          ...shape,
          projections: new FusedProjection(hiddenSize, shape, {
            byKeyHead: true,
            bias,
            scope: attention.at('query_key_value'),
          }),
          output: new Linear(heads * size, hiddenSize, { bias, scope: attention.at('dense') }),
          rotary: rotary.positions,
        }),
        feedForward: new FeedForward({
          dModel: hiddenSize,
          dFeedForward: intermediateSize,
          activation: fields.activation,
          names: { up: 'dense_h_to_4h', down: 'dense_4h_to_h' },
          scope: at.at('mlp'),
        }),
        norms: {
          beforeAttention: norm('input_layernorm'),
          beforeFeedForward: norm('post_attention_layernorm'),
        },
        parallel,
      });
    }),
    norm: new LayerNorm(hiddenSize, { epsilon, scope: model.at('final_layer_norm') }),
    makeHead: () => languageModelHead(fields, words, scope.at('embed_out')),
  };
});
