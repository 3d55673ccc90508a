import { CausalAttention } from '../layers/causal_attention.js';
import { CausalBlock } from '../layers/causal_block.js';
import { Embedding } from '../layers/embedding.js';
import { FeedForward } from '../layers/feed_forward.js';
import { Linear } from '../layers/linear.js';
import { LayerNorm } from '../layers/norm.js';
import { FusedProjection } from '../layers/query_key_value.js';
import { decoderFamily, languageModelHead } from './decoder.js';
import { headSize } from './decoder_config.js';
import { activationOf } from './model_config.js';

/** Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3. */
export const gpt2 = decoderFamily((config, scope) => {
  const hiddenSize = config.integer('n_embd', { min: 1, aliases: ['hidden_size'] });
  const heads = config.integer('n_head', { min: 1, aliases: ['num_attention_heads'] });
  const numLayers = config.integer('n_layer', { min: 0, aliases: ['num_hidden_layers'] });
  const vocabSize = config.integer('vocab_size', { min: 1 });
  const maxPositions = config.integer('n_positions', {
    min: 1,
    aliases: ['max_position_embeddings', 'n_ctx'],
  });
  const dFeedForward = config.integer('n_inner', { min: 1, default: 4 * hiddenSize });
  const name = config.string('activation_function', { default: 'gelu_new' });
  const activation = activationOf(name, 'activation_function');
  const epsilon = config.number('layer_norm_epsilon', { min: 0, default: 1e-5 });
  const tied = config.boolean('tie_word_embeddings', { default: true });
  const scales = config.boolean('scale_attn_weights', { default: true });
  const byLayer = config.boolean('scale_attn_by_inverse_layer_idx', { default: false });
  const size = headSize(hiddenSize, heads);
  const shape = { heads, keyHeads: heads, size };
  const model = scope.at('transformer');
  const words = new Embedding(vocabSize, hiddenSize, { scope: model.at('wte') });
  return {
    vocabSize,
    hiddenSize,
    maxPositions,
    heads: shape,
    words,
    positions: new Embedding(maxPositions, hiddenSize, { scope: model.at('wpe') }),
    blocks: Array.from({ length: numLayers }, (_, layer) => {
      const at = model.at(`h.${layer}`);
      const norm = (part: string): LayerNorm =>
        new LayerNorm(hiddenSize, { epsilon, scope: at.at(part) });
      return new CausalBlock({
        attention: new CausalAttention({
          layer,
          ...shape,
          projections: new FusedProjection(hiddenSize, shape, {
            byKeyHead: false,
            bias: true,
            transposed: true,
            scope: at.at('attn.c_attn'),
          }),
          output: new Linear(heads * size, hiddenSize, {
            transposed: true,
            scope: at.at('attn.c_proj'),
          }),
          scale: (scales ? 1 / Math.sqrt(size) : 1) / (byLayer ? layer + 1 : 1),
        }),
        feedForward: new FeedForward({
          dModel: hiddenSize,
          dFeedForward,
          activation,
          names: { up: 'c_fc', down: 'c_proj' },
          transposed: true,
          scope: at.at('mlp'),
        }),
        norms: { beforeAttention: norm('ln_1'), beforeFeedForward: norm('ln_2') },
      });
    }),
    norm: new LayerNorm(hiddenSize, { epsilon, scope: model.at('ln_f') }),
    makeHead: () => languageModelHead({ vocabSize, hiddenSize, tied }, words, scope.at('lm_head')),
  };
});
