import { mismatch } from '../../errors.js';
import { checkSizes } from '../../graph/options.js';
import { SymbolicDim } from '../../graph/shape.js';
import { input, type Tensor } from '../../graph/tensor.js';
import type { Encoder } from '../../models/encoder.js';
import { pool } from '../../ops/index.js';
import type { Objective, RunLimits } from '../objective.js';
import { type Fed, PackedInputs } from '../packed_inputs.js';
import type { RandomStream } from '../random_stream.js';
import { checkIds, LabelLoss, noLabel } from './token_loss.js';

export interface MaskedLanguageModelExample {
  readonly ids: readonly number[];
}

export interface MaskingOptions {
  readonly maskId: number;
  /** Ids that are never masked, such as those of special tokens. */
  readonly kept?: ReadonlySet<number>;
  /** Share of the tokens that are to be predicted; default 0.15. */
  readonly rate?: number | undefined;
}

/**
 * Masked words (Devlin et al. 2019, section 3.1): 15 % of the tokens are to be predicted; of these 80 % are shown as the mask,
 * 10 % as a random token and 10 % as they are. Which, is drawn anew each time an example is seen. The head works on these rows alone.
 */
export class MaskedLanguageModelObjective implements Objective<MaskedLanguageModelExample> {
  private readonly inputs: PackedInputs;
  /** A segment begins at each row that is to be predicted, and one at the first row, so that every row is in one. */
  private readonly segments = new SymbolicDim('predicted rows');
  private readonly bounds = new SymbolicDim('predicted rows + 1');
  private readonly labelled: LabelLoss;
  readonly loss: Tensor;
  private readonly rate: number;

  constructor(
    private readonly network: Encoder,
    private readonly options: MaskingOptions,
  ) {
    const { maskId, rate = 0.15 } = options;
    checkSizes('masking', { maskId }, 0);
    if (!(rate > 0 && rate <= 1)) {
      throw mismatch('ERR_ARGUMENT', 'maskRate', 'a share above 0, at most 1', `${rate}`);
    }
    this.rate = rate;
    this.inputs = new PackedInputs('text', network);
    const { batch } = this.inputs;
    const { lastHiddenState, logits } = network.outputs(batch);
    if (!lastHiddenState || logits?.per !== 'row') {
      throw mismatch('ERR_UNSUPPORTED', 'model', 'one with a head for masked words', 'another');
    }
    const offsets = input('predicted offsets', [this.bounds], 'int32');
    const predicted = pool(lastHiddenState.tensor, offsets, this.segments, 'first');
    this.labelled = new LabelLoss(network.rowLogits(predicted, batch), this.segments);
    this.loss = this.labelled.loss;
  }

  tokens({ ids }: MaskedLanguageModelExample): number {
    const { limits, maxLength } = this.network;
    if (ids.length === 0) throw mismatch('ERR_INPUT', 'ids', 'at least one', 'none');
    checkIds(ids, { vocabSize: limits.vocabSize, maxLength });
    return ids.length;
  }

  /** So many ids are masked: the number does not depend on chance, so that parts of a batch know the whole. */
  weight({ ids }: MaskedLanguageModelExample): number {
    const open = ids.filter((id) => !this.options.kept?.has(id)).length;
    return Math.min(open, Math.max(1, Math.round(open * this.rate)));
  }

  capacities({ tokens, examples }: RunLimits): Map<SymbolicDim, number> {
    // Of each example at least one, so that few short ones may exceed the rate.
    const predicted = Math.min(tokens, Math.ceil(tokens * this.rate) + examples) + 1;
    return new Map([
      ...this.inputs.capacities(tokens, examples),
      [this.segments, predicted],
      [this.bounds, predicted + 1],
    ]);
  }

  fill(
    examples: readonly MaskedLanguageModelExample[],
    total: number,
    random: (example: number) => RandomStream,
  ): Fed {
    const masked = examples.map((example, i) => this.mask(example, random(i)));
    const { feeds, sizes } = this.inputs.fill(masked.map(({ shown }) => shown));
    const all = masked.flatMap(({ labels }) => labels);
    const begins = [...all.keys()].filter((row) => row === 0 || all[row] !== noLabel);
    const fed = {
      feeds: { ...feeds, 'predicted offsets': Int32Array.from([...begins, all.length]) },
      sizes: new Map([...sizes, [this.segments, begins.length], [this.bounds, begins.length + 1]]),
    };
    const labels = begins.map((row) => all[row] ?? noLabel);
    return this.labelled.fill(fed, labels, total);
  }

  private mask(
    example: MaskedLanguageModelExample,
    random: RandomStream,
  ): { shown: number[]; labels: number[] } {
    const { maskId, kept } = this.options;
    const shown = [...example.ids];
    const labels = shown.map(() => noLabel);
    const open = shown.flatMap((id, place) => (kept?.has(id) ? [] : [place]));
    for (let chosen = 0; chosen < this.weight(example); chosen++) {
      const other = chosen + random.below(open.length - chosen);
      const place = open[other] as number;
      open[other] = open[chosen] as number;
      labels[place] = shown[place] as number;
      const fate = random.next();
      if (fate < 0.8) shown[place] = maskId;
      else if (fate < 0.9) shown[place] = random.below(this.network.limits.vocabSize);
    }
    return { shown, labels };
  }
}
