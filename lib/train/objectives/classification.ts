import { mismatch } from '../../errors.js';
import type { NdArray } from '../../graph/run.js';
import type { SymbolicDim } from '../../graph/shape.js';
import type { Tensor } from '../../graph/tensor.js';
import type { Encoder } from '../../models/encoder.js';
import type { Objective, RunLimits } from '../objective.js';
import { type Fed, PackedInputs } from '../packed_inputs.js';
import { checkIds, countRight, LabelLoss } from './token_loss.js';

export interface LabelledExample {
  readonly ids: readonly number[];
  /** Which of two texts each token belongs to; left out: all to the first. */
  readonly typeIds?: readonly number[];
  /** Number of its class. */
  readonly label: number;
}

/** The class of a text, by a model's classification head. */
export class ClassificationObjective implements Objective<LabelledExample> {
  private readonly inputs: PackedInputs;
  private readonly labelled: LabelLoss;
  private readonly classes: number;
  readonly loss: Tensor;
  readonly scored: Readonly<Record<string, Tensor>>;

  constructor(
    private readonly network: Encoder,
    options: { smoothing?: number | undefined } = {},
  ) {
    this.inputs = new PackedInputs('text', network);
    const { logits } = network.outputs(this.inputs.batch);
    if (logits?.per !== 'sequence') {
      const expected = 'one that classifies texts (…ForSequenceClassification)';
      throw mismatch('ERR_UNSUPPORTED', 'model', expected, 'another');
    }
    this.classes = logits.tensor.shape[1] as number;
    this.labelled = new LabelLoss(logits.tensor, this.inputs.count, options.smoothing);
    this.loss = this.labelled.loss;
    this.scored = { logits: logits.tensor };
  }

  tokens({ ids, label }: LabelledExample): number {
    const { limits, maxLength } = this.network;
    if (ids.length === 0) throw mismatch('ERR_INPUT', 'ids', 'at least one', 'none');
    checkIds(ids, { vocabSize: limits.vocabSize, maxLength });
    if (!(Number.isInteger(label) && label >= 0 && label < this.classes)) {
      throw mismatch('ERR_INPUT', 'label', `a whole number below ${this.classes}`, `${label}`);
    }
    return ids.length;
  }

  weight(): number {
    return 1;
  }

  capacities({ tokens, examples }: RunLimits): Map<SymbolicDim, number> {
    return this.inputs.capacities(tokens, examples);
  }

  fill(examples: readonly LabelledExample[], total: number): Fed {
    const types = examples.map(({ ids, typeIds }) => typeIds ?? ids.map(() => 0));
    const fed = this.inputs.fill(
      examples.map(({ ids }) => ids),
      types,
    );
    return this.labelled.fill(
      fed,
      examples.map(({ label }) => label),
      total,
    );
  }

  correct(
    { logits }: Readonly<Record<string, NdArray>>,
    examples: readonly LabelledExample[],
  ): number {
    const labels = examples.map(({ label }) => [label]);
    return logits ? countRight(logits, labels) : 0;
  }
}
