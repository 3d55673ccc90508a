import type { Tensor } from '../graph/tensor.js';
import { Linear } from '../layers/linear.js';
import { LayerNorm } from '../layers/norm.js';
import type { Scope } from '../layers/scope.js';
import { type Activation, activation, pool } from '../ops/index.js';
import type { EncoderBatch, Head } from './encoder.js';

/** f(W·h + b) of each sequence's first token: the pooler of BERT (Devlin et al. 2019, section 4.1). */
export class FirstTokenPooler implements Head {
  readonly per = 'sequence';
  private readonly dense: Linear;

  constructor(
    hiddenSize: number,
    private readonly kind: Activation,
    scope: Scope,
  ) {
    this.dense = new Linear(hiddenSize, hiddenSize, { scope });
  }

  forward(hidden: Tensor, batch: EncoderBatch): Tensor {
    const first = pool(hidden, batch.offsets, batch.count, 'first');
    return activation(this.dense.forward(first), this.kind);
  }
}

/** One score for each label and sequence, from the pooled first token. */
export class SequenceClassifier implements Head {
  readonly per = 'sequence';
  private readonly output: Linear;

  constructor(
    private readonly pooler: FirstTokenPooler,
    hiddenSize: number,
    labels: number,
    scope: Scope,
  ) {
    this.output = new Linear(hiddenSize, labels, { scope });
  }

  forward(hidden: Tensor, batch: EncoderBatch): Tensor {
    return this.output.forward(this.pooler.forward(hidden, batch));
  }
}

/** One score for each label and token. */
export class TokenClassifier implements Head {
  readonly per = 'row';
  private readonly output: Linear;

  constructor(hiddenSize: number, labels: number, scope: Scope) {
    this.output = new Linear(hiddenSize, labels, { scope });
  }

  forward(hidden: Tensor): Tensor {
    return this.output.forward(hidden);
  }
}

/** One score for each word of the vocabulary and token: dense, activation, norm, output projection. */
export class MaskedLmHead implements Head {
  readonly per = 'row';
  private readonly dense: Linear;
  private readonly norm: LayerNorm;
  private readonly kind: Activation;
  private readonly output: Linear;

  /** @param decoder the output projection, usually tied to the word embeddings. */
  constructor(options: {
    hiddenSize: number;
    activation: Activation;
    epsilon: number;
    dense: Scope;
    norm: Scope;
    decoder: Linear;
  }) {
    const { hiddenSize, epsilon } = options;
    this.kind = options.activation;
    this.dense = new Linear(hiddenSize, hiddenSize, { scope: options.dense });
    this.norm = new LayerNorm(hiddenSize, { epsilon, scope: options.norm });
    this.output = options.decoder;
  }

  forward(hidden: Tensor): Tensor {
    const transformed = activation(this.dense.forward(hidden), this.kind);
    return this.output.forward(this.norm.forward(transformed));
  }
}

/**
 * The output projection of a masked language model: the word embeddings where they are tied, and its bias under
 * whichever of two names the checkpoint uses.
 */
export function vocabularyProjection(options: {
  vocabSize: number;
  hiddenSize: number;
  /** Word embeddings [vocabSize, hiddenSize], where tied. */
  tied: Tensor | undefined;
  /** Parent of `bias`. */
  scope: Scope;
  /** Parent of `weight`, and of `bias` in some checkpoints. */
  decoder: Scope;
}): Linear {
  const { vocabSize, hiddenSize, tied, scope, decoder } = options;
  const init = { kind: 'normal', deviation: 0.02 } as const;
  const weight = tied ?? decoder.parameter('weight', [vocabSize, hiddenSize], 'linear', init);
  return new Linear(hiddenSize, vocabSize, { weight, scope: scope.has('bias') ? scope : decoder });
}
