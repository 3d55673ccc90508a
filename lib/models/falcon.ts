import { HeddleError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { alibiBias } from '../layers/alibi.js';
import { CausalAttention } from '../layers/causal_attention.js';
import { CausalBlock, type CausalBlockParts } from '../layers/causal_block.js';
import { Embedding } from '../layers/embedding.js';
import { FeedForward } from '../layers/feed_forward.js';
import { Linear } from '../layers/linear.js';
import { LayerNorm } from '../layers/norm.js';
import { FusedProjection } from '../layers/query_key_value.js';
import type { Scope } from '../layers/scope.js';
import { decoderFamily, languageModelHead } from './decoder.js';
import { checkedHeads, headSize, rotaryPositions } from './decoder_config.js';
import { activationOf, type ModelConfig } from './model_config.js';

function falconConfig(config: ModelConfig) {
  const hiddenSize = config.integer('hidden_size', { min: 1, aliases: ['n_embed'] });
  const heads = config.integer('num_attention_heads', { min: 1, aliases: ['n_head'] });
  const isNew = config.boolean('new_decoder_architecture', { default: false });
  const multiQuery = config.boolean('multi_query', { default: true });
  const given = config.integer('num_kv_heads', { min: 1, default: heads, aliases: ['n_head_kv'] });
  const keyHeads = isNew ? given : multiQuery ? 1 : heads;
  const activation = config.string('activation', { default: 'gelu' });
  const parallel = isNew || config.boolean('parallel_attn', { default: true });
  const norms = config.integer('num_ln_in_parallel_attn', {
    min: 1,
    max: 2,
    default: isNew ? 2 : 1,
  });
  return {
    vocabSize: config.integer('vocab_size', { min: 1 }),
    hiddenSize,
    numLayers: config.integer('num_hidden_layers', { min: 0, aliases: ['n_layer'] }),
    ...checkedHeads({ heads, keyHeads, size: headSize(hiddenSize, heads) }),
    intermediateSize: config.integer('ffn_hidden_size', { min: 1, default: 4 * hiddenSize }),
    activation: activationOf(activation, 'activation'),
    epsilon: config.number('layer_norm_epsilon', { min: 0, default: 1e-5 }),
    maxPositions: config.integer('max_position_embeddings', { min: 1, default: 2048 }),
    bias: config.boolean('bias', { default: false }),
    alibi: config.boolean('alibi', { default: false }),
    tied: config.boolean('tie_word_embeddings', { default: true }),
    parallel,
    /** With two, attention and feed-forward network of a parallel layer have norms of their own. */
    twoNorms: isNew && norms === 2,
  };
}
type FalconConfig = ReturnType<typeof falconConfig>;

function normsOf(config: FalconConfig, scope: Scope): CausalBlockParts['norms'] {
  const { hiddenSize, epsilon, parallel, twoNorms } = config;
  const norm = (name: string): LayerNorm =>
    new LayerNorm(hiddenSize, { epsilon, scope: scope.at(name) });
  if (twoNorms) return { beforeAttention: norm('ln_attn'), beforeFeedForward: norm('ln_mlp') };
  const first = norm('input_layernorm');
  const second = parallel ? first : norm('post_attention_layernorm');
  return { beforeAttention: first, beforeFeedForward: second };
}

/** Almazrouei et al. 2023, "The Falcon Series of Open Language Models": one or few key heads, parallel parts (section 4). */
export const falcon = decoderFamily((source, scope) => {
  const config = falconConfig(source);
  const { vocabSize, hiddenSize, numLayers, heads, keyHeads, size, maxPositions } = config;
  if (size * heads !== hiddenSize) {
    const found = `${heads} for a width of ${hiddenSize}`;
    const expected = 'a divisor of hidden_size';
    const message = `config.json: num_attention_heads: expected ${expected}, found ${found}`;
    throw new HeddleError('ERR_CONFIG', message, { where: 'num_attention_heads', expected, found });
  }
  const shape = { heads, keyHeads, size };
  const model = scope.at('transformer');
  const words = new Embedding(vocabSize, hiddenSize, { scope: model.at('word_embeddings') });
  const rotary = config.alibi ? undefined : rotaryPositions(source, size, scope, { maxPositions });
  const positionBias: Tensor | undefined = config.alibi
    ? alibiBias({ heads, maxLength: maxPositions, scale: 1 / Math.sqrt(size), scope })
    : undefined;
  return {
    vocabSize,
    hiddenSize,
    maxPositions,
    heads: shape,
    words,
    rotary,
    blocks: Array.from({ length: numLayers }, (_, layer) => {
      const at = model.at(`h.${layer}`);
      const attention = at.at('self_attention');
      const { bias, parallel } = config;
      return new CausalBlock({
        attention: new CausalAttention({
          layer,
          ...shape,
          projections: new FusedProjection(hiddenSize, shape, {
            byKeyHead: true,
            bias,
            scope: attention.at('query_key_value'),
          }),
          output: new Linear(hiddenSize, hiddenSize, { bias, scope: attention.at('dense') }),
          rotary: rotary?.positions,
          positionBias,
        }),
        feedForward: new FeedForward({
          dModel: hiddenSize,
          dFeedForward: config.intermediateSize,
          activation: config.activation,
          bias,
          names: { up: 'dense_h_to_4h', down: 'dense_4h_to_h' },
          scope: at.at('mlp'),
        }),
        norms: normsOf(config, at),
        parallel,
      });
    }),
    norm: new LayerNorm(hiddenSize, { epsilon: config.epsilon, scope: model.at('ln_f') }),
    makeHead: () => languageModelHead(config, words, scope.at('lm_head')),
  };
});
