import { HeddleError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { Linear } from '../layers/linear.js';
import type { Scope } from '../layers/scope.js';
import { type Activation, activation, pool } from '../ops/index.js';
import { bertConfig, bertNames, wordTable } from './bert.js';
import type { EncoderBatch, EncoderTop, Head, Pooler } from './encoder.js';
import { family, tokenHeads } from './family.js';
import {
  FirstTokenPooler,
  HeadTransform,
  MaskedLmHead,
  MultipleChoice,
  SequenceClassifier,
  vocabularyProjection,
} from './heads.js';
import { activationOf, type ModelConfig } from './model_config.js';
import { PostNormEncoder } from './post_norm_encoder.js';

function electraConfig(config: ModelConfig) {
  const fields = bertConfig(config);
  return {
    ...fields,
    embeddingSize: config.integer('embedding_size', { min: 1, default: 128 }),
    summary: {
      type: config.string('summary_type', { default: 'first' }),
      projects: config.boolean('summary_use_proj', { default: true }),
      toLabels: config.boolean('summary_proj_to_labels', { default: false }),
      activation: activationOf(
        config.string('summary_activation', { default: 'gelu' }),
        'summary_activation',
      ),
    },
  };
}
type ElectraConfig = ReturnType<typeof electraConfig>;

/**
 * Clark et al. 2020, "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators": BERT whose
 * embeddings may be narrower than its layers.
 */
export class Electra extends PostNormEncoder {
  constructor(config: ElectraConfig, scope: Scope, top: EncoderTop) {
    const isNarrower = config.embeddingSize !== config.hiddenSize;
    const projection = isNarrower ? 'embeddings_project' : undefined;
    super(config, { ...bertNames, projection }, scope, top);
  }
}

/** One score for each token: that it was replaced (section 2). */
class Discriminator implements Head {
  readonly outputs = { logits: 'score' } as const;
  readonly readsFirst = false;
  private readonly dense: Linear;
  private readonly output: Linear;

  constructor(
    { hiddenSize }: ElectraConfig,
    private readonly kind: Activation,
    scope: Scope,
  ) {
    this.dense = new Linear(hiddenSize, hiddenSize, { scope: scope.at('dense') });
    this.output = new Linear(hiddenSize, 1, { scope: scope.at('dense_prediction') });
  }

  forward(hidden: Tensor): Record<string, Tensor> {
    return { logits: this.output.forward(activation(this.dense.forward(hidden), this.kind)) };
  }
}

/** The vector that choices are scored by: the first token, projected unless the config says otherwise. */
class Summary implements Pooler {
  readonly readsFirst = true;
  private readonly dense: Linear | undefined;
  private readonly kind: Activation;

  constructor({ hiddenSize, summary }: ElectraConfig, scope: Scope) {
    if (summary.type !== 'first' || summary.toLabels) {
      const found = summary.toLabels ? 'summary_proj_to_labels' : `'${summary.type}'`;
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `config.json: summary_type: expected 'first', projected to hidden_size, found ${found}`,
        { where: 'summary_type', found },
      );
    }
    this.kind = summary.activation;
    this.dense = summary.projects ? new Linear(hiddenSize, hiddenSize, { scope }) : undefined;
  }

  forward(hidden: Tensor, batch: EncoderBatch): Tensor {
    const first = pool(hidden, batch.offsets, batch.count, 'first');
    return activation(this.dense?.forward(first) ?? first, this.kind);
  }
}

function maskedLm(config: ElectraConfig, scope: Scope): EncoderTop {
  const { vocabSize, hiddenSize, embeddingSize: width, epsilon, tied } = config;
  const words = scope.at('electra.embeddings.word_embeddings');
  const decoder = vocabularyProjection({
    vocabSize,
    width,
    tied: tied ? wordTable(words, vocabSize, width) : undefined,
    scope: scope.at('generator_lm_head'),
    decoder: scope.at('generator_lm_head'),
  });
  const dense = scope.at('generator_predictions.dense');
  const norm = scope.at('generator_predictions.LayerNorm');
  const activation = 'gelu'; // whatever hidden_act says
  const transform = new HeadTransform({ hiddenSize, width, activation, epsilon, dense, norm });
  return { head: new MaskedLmHead(transform, decoder) };
}

export const electra = family({
  config: electraConfig,
  encoder: (config, scope, top) => new Electra(config, scope.at('electra'), top),
  heads: {
    base: () => ({}),
    maskedLm,
    preTraining: (config, scope) => ({
      head: new Discriminator(config, config.activation, scope.at('discriminator_predictions')),
    }),
    sequenceClassification: (config, scope) => {
      const { hiddenSize, labels } = config;
      const pooler = new FirstTokenPooler(hiddenSize, 'gelu', scope.at('classifier.dense'));
      const output = scope.at('classifier.out_proj');
      return { head: new SequenceClassifier(pooler, hiddenSize, labels, output) };
    },
    ...tokenHeads,
    multipleChoice: (config, scope) => {
      const pooler = new Summary(config, scope.at('sequence_summary.summary'));
      return { head: new MultipleChoice(pooler, config.hiddenSize, scope.at('classifier')) };
    },
  },
});
