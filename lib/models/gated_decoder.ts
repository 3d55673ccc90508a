/** The decoder that Llama set the pattern of: RMS norms, rotary positions, a gated feed-forward network. */
import { CausalAttention, type Norm } from '../layers/causal_attention.js';
import { CausalBlock, type CausalBlockParts } from '../layers/causal_block.js';
import { Embedding } from '../layers/embedding.js';
import { GatedFeedForward } from '../layers/feed_forward.js';
import { Linear } from '../layers/linear.js';
import { LayerNorm, RmsNorm } from '../layers/norm.js';
import { SeparateProjections } from '../layers/query_key_value.js';
import type { RotaryPositions } from '../layers/rotary.js';
import type { Scope } from '../layers/scope.js';
import { type DecoderSource, type LogitOptions, languageModelHead } from './decoder.js';
import type { DecoderFields, Rotary } from './decoder_config.js';

/** How a family differs from Llama. */
export interface GatedDecoderOptions {
  /** The angles of the model, or of each layer; undefined: a layer has no positions. */
  rotary: Rotary;
  rotaryOf?: (layer: number) => RotaryPositions | undefined;
  windowOf?: (layer: number) => number | undefined;
  /** Biases of queries, keys and values, and of the output; default: as `attention_bias` says. */
  bias?: { projections: boolean; output: boolean };
  /** Whether queries and keys are normalised, and each head by itself or all at once. */
  queryKeyNorm?: 'perHead' | 'whole';
  /** What normalises the residual stream; default `rms`. */
  norm?: 'rms' | 'layer';
  /**
   * Norms before each part (Llama), after each part (OLMo 2) or both (Gemma), or one before both, which are then parallel;
   * default `before`.
   */
  norms?: Norms;
  /** Gemma stores gains as their difference to 1. */
  normOffset?: number;
  /** Whether queries, keys and values are one tensor, and the two halves of the feed-forward network. */
  fused?: boolean;
  /** Factor of q·k; default 1 / √size. */
  scale?: number;
  /** Of attention scores. */
  softCap?: number;
  logits?: LogitOptions;
  embeddingScale?: number;
  /** Factor of what each part of a layer adds to the residual stream; default 1. */
  residualScale?: number;
  /** What stands in the place of a layer's feed-forward network, where something else does. */
  feedForwardOf?: (layer: number, scope: Scope) => CausalBlockParts['feedForward'] | undefined;
}

type Norms = 'before' | 'after' | 'both' | 'shared';

const projectionNames = ['q_proj', 'k_proj', 'v_proj'] as const;

/** @param scope the root of the checkpoint. */
export function gatedDecoder(
  fields: DecoderFields,
  scope: Scope,
  options: GatedDecoderOptions,
): DecoderSource {
  const { vocabSize, hiddenSize, numLayers, maxPositions } = fields;
  const { heads, keyHeads, size } = fields;
  const model = scope.at('model');
  const words = new Embedding(vocabSize, hiddenSize, { scope: model.at('embed_tokens') });
  const { rotary, embeddingScale, residualScale, logits } = options;
  const { epsilon } = fields;
  const rms = (at: Scope, width = hiddenSize): RmsNorm =>
    new RmsNorm(width, { epsilon, offset: options.normOffset ?? 0, scope: at });
  const norm = (at: Scope): Norm =>
    options.norm === 'layer' ? new LayerNorm(hiddenSize, { epsilon, scope: at }) : rms(at);
  return {
    vocabSize,
    hiddenSize,
    maxPositions,
    heads: { heads, keyHeads, size },
    words,
    ...(embeddingScale === undefined ? {} : { embeddingScale }),
    rotary,
    blocks: Array.from({ length: numLayers }, (_, i) => {
      const at = model.at(`layers.${i}`);
      return new CausalBlock({
        attention: attentionOf(fields, i, at.at('self_attn'), options, rms),
        feedForward:
          options.feedForwardOf?.(i, at.at('mlp')) ??
          gatedFeedForward(fields, at.at('mlp'), options.fused),
        norms: normsOf(options.norms ?? 'before', (name) => norm(at.at(name))),
        parallel: options.norms === 'shared',
        residualScale,
      });
    }),
    norm: norm(model.at('norm')),
    makeHead: () => languageModelHead(fields, words, scope.at('lm_head'), logits),
  };
}

function attentionOf(
  fields: DecoderFields,
  layer: number,
  scope: Scope,
  options: GatedDecoderOptions,
  norm: (at: Scope, width?: number) => RmsNorm,
): CausalAttention {
  const { hiddenSize, heads, keyHeads, size, attentionBias } = fields;
  const { rotary, rotaryOf, windowOf, queryKeyNorm, scale, softCap, fused } = options;
  const { bias = { projections: attentionBias, output: attentionBias } } = options;
  const perHead = queryKeyNorm === 'perHead';
  const widthOf = (count: number): number => (perHead ? size : count * size);
  return new CausalAttention({
    layer,
    heads,
    keyHeads,
    size,
    projections: new SeparateProjections(hiddenSize, fields, {
      names: fused ? 'qkv_proj' : projectionNames,
      bias: bias.projections,
      scope,
    }),
    output: new Linear(heads * size, hiddenSize, { bias: bias.output, scope: scope.at('o_proj') }),
    norms: queryKeyNorm && {
      query: norm(scope.at('q_norm'), widthOf(heads)),
      key: norm(scope.at('k_norm'), widthOf(keyHeads)),
      perHead,
    },
    rotary: rotaryOf ? rotaryOf(layer) : rotary.positions,
    window: windowOf?.(layer),
    scale,
    softCap,
  });
}

/** @param dFeedForward the width inside; default: the model's. */
export function gatedFeedForward(
  fields: DecoderFields,
  scope: Scope,
  fused = false,
  dFeedForward = fields.intermediateSize,
): GatedFeedForward {
  return new GatedFeedForward({
    dModel: fields.hiddenSize,
    dFeedForward,
    activation: fields.activation,
    bias: fields.feedForwardBias,
    names: fused
      ? { upAndGate: 'gate_up_proj', down: 'down_proj' }
      : { activated: 'gate_proj', linear: 'up_proj', down: 'down_proj' },
    scope,
  });
}

/** The same name stands for different norms in different families. */
function normsOf(kind: Norms, norm: (name: string) => Norm): CausalBlockParts['norms'] {
  switch (kind) {
    case 'shared': {
      const before = norm('input_layernorm');
      return { beforeAttention: before, beforeFeedForward: before };
    }
    case 'before':
      return {
        beforeAttention: norm('input_layernorm'),
        beforeFeedForward: norm('post_attention_layernorm'),
      };
    case 'after':
      return {
        afterAttention: norm('post_attention_layernorm'),
        afterFeedForward: norm('post_feedforward_layernorm'),
      };
    case 'both':
      return {
        beforeAttention: norm('input_layernorm'),
        afterAttention: norm('post_attention_layernorm'),
        beforeFeedForward: norm('pre_feedforward_layernorm'),
        afterFeedForward: norm('post_feedforward_layernorm'),
      };
  }
}
