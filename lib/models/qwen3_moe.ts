import { MixtureOfExperts } from '../layers/mixture_of_experts.js';
import { decoderFamily } from './decoder.js';
import { decoderFields, rotaryPositions, windowOf } from './decoder_config.js';
import { gatedDecoder } from './gated_decoder.js';
import type { ModelConfig } from './model_config.js';

const sparseStep = (config: ModelConfig): number =>
  config.integer('decoder_sparse_step', { min: 1, default: 1 });

const denseLayers = (config: ModelConfig): readonly number[] =>
  config.numberList('mlp_only_layers', { default: [] });

/** See `Period`. */
export const qwen3MoePeriod = (config: ModelConfig): number =>
  denseLayers(config).length > 0 ? Infinity : sparseStep(config);

/** Yang et al. 2025, "Qwen3 Technical Report", section 2: Qwen3 with mixtures of experts in some or all layers. */
export const qwen3Moe = decoderFamily((config, scope) => {
  const fields = { ...decoderFields(config), feedForwardBias: false };
  const { size, maxPositions, hiddenSize, activation } = fields;
  const numExperts = config.integer('num_experts', {
    default: 128,
    aliases: ['num_local_experts'],
  });
  const numChosen = config.integer('num_experts_per_tok', { min: 1, default: 8 });
  const dFeedForward = config.integer('moe_intermediate_size', { min: 1, default: 768 });
  const normalised = config.boolean('norm_topk_prob', { default: false });
  const every = sparseStep(config);
  const dense = denseLayers(config);
  const isSparse = (layer: number): boolean =>
    !dense.includes(layer) && numExperts > 0 && (layer + 1) % every === 0;
  const uses = config.boolean('use_sliding_window', { default: false });
  const window = uses ? windowOf(config) : undefined;
  return gatedDecoder(fields, scope, {
    rotary: rotaryPositions(config, size, scope, { maxPositions }),
    queryKeyNorm: 'perHead',
    windowOf: () => window,
    feedForwardOf: (layer, at) =>
      isSparse(layer)
        ? new MixtureOfExperts({
            dModel: hiddenSize,
            dFeedForward,
            numExperts,
            numChosen,
            normalised,
            activation,
            names: {
              router: 'gate',
              experts: 'experts',
              activated: 'gate_proj',
              linear: 'up_proj',
              down: 'down_proj',
            },
            scope: at,
          })
        : undefined,
  });
});
