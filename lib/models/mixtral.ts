import { MixtureOfExperts } from '../layers/mixture_of_experts.js';
import { decoderFamily } from './decoder.js';
import { decoderFields, rotaryPositions, windowOf } from './decoder_config.js';
import { gatedDecoder } from './gated_decoder.js';

/** Jiang et al. 2024, "Mixtral of Experts": Mistral with a mixture of experts in every layer. */
export const mixtral = decoderFamily((config, scope) => {
  const fields = { ...decoderFields(config), attentionBias: false };
  const { size, maxPositions, hiddenSize, intermediateSize, activation } = fields;
  const theta = { name: 'rope_theta', default: 1e6 };
  const window = windowOf(config);
  const numExperts = config.integer('num_local_experts', { min: 1, default: 8 });
  const numChosen = config.integer('num_experts_per_tok', { min: 1, max: numExperts, default: 2 });
  return gatedDecoder(fields, scope, {
    rotary: rotaryPositions(config, size, scope, { maxPositions, theta }),
    windowOf: () => window,
    feedForwardOf: (layer) =>
      new MixtureOfExperts({
        dModel: hiddenSize,
        dFeedForward: intermediateSize,
        numExperts,
        numChosen,
        normalised: true,
        activation,
        names: { router: 'gate', experts: 'experts', activated: 'w1', linear: 'w3', down: 'w2' },
        scope: scope.at(`model.layers.${layer}.block_sparse_moe`),
      }),
  });
});
