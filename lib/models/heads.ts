import type { Tensor } from '../graph/tensor.js';
import { Linear } from '../layers/linear.js';
import { LayerNorm } from '../layers/norm.js';
import type { Scope } from '../layers/scope.js';
import { dropped } from '../layers/train_mode.js';
import { type Activation, activation, pool } from '../ops/index.js';
import type { EncoderBatch, Head, Pooler } from './encoder.js';

/** f(W·h + b) of each sequence's first token: the pooler of BERT (Devlin et al. 2019, section 4.1). */
export class FirstTokenPooler implements Pooler {
  readonly readsFirst = true;
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

/** One score for each label and sequence, from what a pooler makes of it. */
export class SequenceClassifier implements Head {
  readonly outputs: Head['outputs'] = { logits: 'sequence' };
  private readonly output: Linear;

  constructor(
    private readonly pooler: Pooler,
    hiddenSize: number,
    labels: number,
    scope: Scope,
  ) {
    this.output = new Linear(hiddenSize, labels, { scope });
  }

  get readsFirst(): boolean {
    return this.pooler.readsFirst;
  }

  forward(hidden: Tensor, batch: EncoderBatch): Record<string, Tensor> {
    return {
      logits: this.output.forward(dropped(this.pooler.forward(hidden, batch), 'classifier')),
    };
  }
}

/** One score for each sequence, which are the choices of a question. */
export class MultipleChoice extends SequenceClassifier {
  override readonly outputs: Head['outputs'] = { logits: 'choice' };

  constructor(pooler: Pooler, hiddenSize: number, scope: Scope) {
    super(pooler, hiddenSize, 1, scope);
  }
}

/** What comes before the last projection of a head. */
export interface Transform {
  forward(hidden: Tensor): Tensor;
}

const asItIs: Transform = { forward: (hidden) => hidden };

/** One score for each label and token. */
export class TokenClassifier implements Head {
  readonly outputs = { logits: 'row' } as const;
  readonly readsFirst = false;
  private readonly output: Linear;

  constructor(
    hiddenSize: number,
    labels: number,
    scope: Scope,
    private readonly transform = asItIs,
  ) {
    this.output = new Linear(hiddenSize, labels, { scope });
  }

  forward(hidden: Tensor): Record<string, Tensor> {
    return { logits: this.output.forward(dropped(this.transform.forward(hidden), 'classifier')) };
  }
}

/** Two scores for each token: that an answer starts there, and that one ends there (Devlin et al. 2019, section 4.2). */
export class QuestionAnswering implements Head {
  readonly outputs = { startLogits: 'score', endLogits: 'score' } as const;
  readonly readsFirst = false;
  private readonly start: Linear;
  private readonly end: Linear;

  constructor(
    hiddenSize: number,
    scope: Scope,
    private readonly transform = asItIs,
  ) {
    const output = (first: number): Linear =>
      new Linear(hiddenSize, 1, { scope, part: { first, of: 2 } });
    this.start = output(0);
    this.end = output(1);
  }

  forward(hidden: Tensor): Record<string, Tensor> {
    const transformed = this.transform.forward(hidden);
    return {
      startLogits: this.start.forward(transformed),
      endLogits: this.end.forward(transformed),
    };
  }
}

/** Dense layer, activation and norm: what heads begin with. */
export class HeadTransform implements Transform {
  private readonly dense: Linear;
  private readonly norm: LayerNorm;
  private readonly kind: Activation;

  /** @param options.width of the result; default: `hiddenSize`. Biases are there unless turned off. */
  constructor(options: {
    hiddenSize: number;
    width?: number;
    activation: Activation;
    epsilon: number;
    bias?: boolean;
    normBias?: boolean;
    dense: Scope;
    norm: Scope;
  }) {
    const { hiddenSize, width = hiddenSize, epsilon, bias = true, normBias = true } = options;
    this.kind = options.activation;
    this.dense = new Linear(hiddenSize, width, { bias, scope: options.dense });
    this.norm = new LayerNorm(width, { epsilon, bias: normBias, scope: options.norm });
  }

  forward(hidden: Tensor): Tensor {
    return this.norm.forward(activation(this.dense.forward(hidden), this.kind));
  }
}

/** One score for each word of the vocabulary and token. */
export class MaskedLmHead implements Head {
  readonly outputs = { logits: 'row' } as const;
  readonly readsFirst = false;

  /** @param decoder the output projection, usually tied to the word embeddings. */
  constructor(
    private readonly transform: HeadTransform,
    private readonly decoder: Linear,
  ) {}

  forward(hidden: Tensor): Record<string, Tensor> {
    return { logits: this.decoder.forward(this.transform.forward(hidden)) };
  }
}

/**
 * The output projection of a masked language model: the word embeddings where they are tied, and its bias under
 * whichever of two names the checkpoint uses.
 */
export function vocabularyProjection(options: {
  vocabSize: number;
  /** Of the word embeddings. */
  width: number;
  /** Word embeddings [vocabSize, width], where tied. */
  tied: Tensor | undefined;
  bias?: boolean;
  /** Parent of `bias`. */
  scope: Scope;
  /** Parent of `weight`, and of `bias` in some checkpoints. */
  decoder: Scope;
}): Linear {
  const { vocabSize, width, tied, bias = true, scope, decoder } = options;
  const init = { kind: 'normal', deviation: 0.02 } as const;
  const weight = tied ?? decoder.parameter('weight', [vocabSize, width], 'linear', init);
  // Where both are there and the weights are tied, Hugging Face ties the decoder's bias to the other, too.
  const [first, second] = tied ? [scope, decoder] : [decoder, scope];
  const biasScope = first.has('bias') ? first : second;
  return new Linear(width, vocabSize, { weight, bias, scope: biasScope });
}
