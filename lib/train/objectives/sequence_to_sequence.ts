import { mismatch } from '../../errors.js';
import type { NdArray } from '../../graph/run.js';
import type { SymbolicDim } from '../../graph/shape.js';
import type { Tensor } from '../../graph/tensor.js';
import type { PackedIds } from '../../layers/sequence.js';
import type { Objective, RunLimits } from '../objective.js';
import { type Fed, PackedInputs } from '../packed_inputs.js';
import { checkIds, countRight, LabelLoss } from './token_loss.js';

export interface SequencePair {
  readonly source: readonly number[];
  /** Without the token that starts it; with the one that ends it, where it is to be learnt. */
  readonly target: readonly number[];
}

/** What is trained: `nn.Transformer` is one. */
export interface EncoderDecoder {
  /** @returns float32 [rows of target, vocabSize]. */
  forward(source: PackedIds, target: PackedIds): Tensor;
}

export interface SequenceToSequenceOptions {
  /** What the target begins with when it is written. */
  readonly startId: number;
  readonly vocabSize: number;
  /** Longest source and target. */
  readonly maxLength: number;
  /** Of labels; default 0.1, as Vaswani et al. 2017, section 5.4. */
  readonly smoothing?: number | undefined;
  /** Whether evaluations count the targets that are right to the last token: costs the logits. */
  readonly scores?: boolean;
}

/** Targets from sources, token by token, each given the right ones before it. */
export class SequenceToSequenceObjective implements Objective<SequencePair> {
  private readonly source = new PackedInputs('source');
  private readonly target = new PackedInputs('target', undefined, this.source);
  private readonly labelled: LabelLoss;
  readonly loss: Tensor;
  readonly scored?: Readonly<Record<string, Tensor>>;

  constructor(
    model: EncoderDecoder,
    private readonly options: SequenceToSequenceOptions,
  ) {
    const logits = model.forward(this.source.batch, this.target.batch);
    this.labelled = new LabelLoss(logits, this.target.rows, options.smoothing ?? 0.1);
    this.loss = this.labelled.loss;
    if (options.scores) this.scored = { logits };
  }

  /** The longer of the two: a budget bounds the tokens of each side. */
  tokens({ source, target }: SequencePair): number {
    for (const [name, ids] of Object.entries({ source, target })) {
      if (ids.length === 0) throw mismatch('ERR_INPUT', name, 'at least one id', 'none');
      checkIds(ids, this.options);
    }
    return Math.max(source.length, target.length);
  }

  weight({ target }: SequencePair): number {
    return target.length;
  }

  capacities({ tokens, examples }: RunLimits): Map<SymbolicDim, number> {
    return new Map([
      ...this.source.capacities(tokens, examples),
      ...this.target.capacities(tokens, examples),
    ]);
  }

  fill(examples: readonly SequencePair[], total: number): Fed {
    const { startId } = this.options;
    const from = this.source.fill(examples.map(({ source }) => source));
    const to = this.target.fill(examples.map(({ target }) => [startId, ...target.slice(0, -1)]));
    const both = {
      feeds: { ...from.feeds, ...to.feeds },
      sizes: new Map([...from.sizes, ...to.sizes]),
    };
    const labels = examples.flatMap(({ target }) => target);
    return this.labelled.fill(both, labels, total);
  }

  /** Where each token is the best one after the right ones before it, writing greedily gives the whole target. */
  correct(
    { logits }: Readonly<Record<string, NdArray>>,
    examples: readonly SequencePair[],
  ): number {
    const labels = examples.map(({ target }) => target);
    return logits ? countRight(logits, labels) : 0;
  }
}
