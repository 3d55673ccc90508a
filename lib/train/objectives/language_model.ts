import { mismatch } from '../../errors.js';
import type { NdArray } from '../../graph/run.js';
import type { SymbolicDim } from '../../graph/shape.js';
import type { Tensor } from '../../graph/tensor.js';
import type { Encoder } from '../../models/encoder.js';
import type { Objective, RunLimits } from '../objective.js';
import { type Fed, PackedInputs } from '../packed_inputs.js';
import { checkIds, countRight, LabelLoss, noLabel } from './token_loss.js';

export interface LanguageModelExample {
  /** At least two: each is predicted from those before it. */
  readonly ids: readonly number[];
  /** How many ids at the beginning are given and not to be predicted, such as a prompt; default 1. */
  readonly given?: number;
}

/** The next token from those before it: −log p of each, the mean over all. */
export class LanguageModelObjective implements Objective<LanguageModelExample> {
  private readonly inputs: PackedInputs;
  private readonly labelled: LabelLoss;
  readonly loss: Tensor;
  readonly scored?: Readonly<Record<string, Tensor>>;

  /** @param options.scores whether evaluations count the examples whose answers are right: costs the logits. */
  constructor(
    private readonly network: Encoder,
    options: { smoothing?: number | undefined; scores?: boolean } = {},
  ) {
    this.inputs = new PackedInputs('text', network);
    const { logits } = network.outputs(this.inputs.batch);
    if (logits?.per !== 'row') {
      throw mismatch('ERR_UNSUPPORTED', 'model', 'one that scores each next token', 'another');
    }
    this.labelled = new LabelLoss(logits.tensor, this.inputs.rows, options.smoothing);
    this.loss = this.labelled.loss;
    if (options.scores) this.scored = { logits: logits.tensor };
  }

  tokens({ ids, given = 1 }: LanguageModelExample): number {
    const { limits, maxLength } = this.network;
    if (ids.length < 2) throw mismatch('ERR_INPUT', 'ids', 'at least two', `${ids.length}`);
    if (!(given >= 1 && given < ids.length)) {
      throw mismatch('ERR_INPUT', 'given', `1 to ${ids.length - 1} ids`, `${given}`);
    }
    checkIds(ids, { vocabSize: limits.vocabSize, maxLength: maxLength + 1 });
    return ids.length - 1;
  }

  weight({ ids, given = 1 }: LanguageModelExample): number {
    return ids.length - given;
  }

  capacities({ tokens, examples }: RunLimits): Map<SymbolicDim, number> {
    return this.inputs.capacities(tokens, examples);
  }

  fill(examples: readonly LanguageModelExample[], total: number): Fed {
    const fed = this.inputs.fill(examples.map(({ ids }) => ids.slice(0, -1)));
    return this.labelled.fill(fed, examples.flatMap(labelsOf), total);
  }

  correct(
    { logits }: Readonly<Record<string, NdArray>>,
    examples: readonly LanguageModelExample[],
  ): number {
    return logits ? countRight(logits, examples.map(labelsOf)) : 0;
  }
}

const labelsOf = ({ ids, given = 1 }: LanguageModelExample): number[] =>
  ids.slice(1).map((id, i) => (i + 1 < given ? noLabel : id));
