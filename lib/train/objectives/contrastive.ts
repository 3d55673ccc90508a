import { mismatch } from '../../errors.js';
import { checkFloat } from '../../graph/options.js';
import type { NdArray } from '../../graph/run.js';
import type { SymbolicDim } from '../../graph/shape.js';
import type { Tensor } from '../../graph/tensor.js';
import type { Encoder } from '../../models/encoder.js';
import { l2Normalize, matmul, type Pooling, pool, scale } from '../../ops/index.js';
import type { Objective, RunLimits } from '../objective.js';
import { type Fed, PackedInputs } from '../packed_inputs.js';
import { checkIds, countRight, LabelLoss } from './token_loss.js';

export interface TextPair {
  readonly first: readonly number[];
  readonly second: readonly number[];
}

/**
 * Vectors of texts that belong together are to be closer than those of others: each first text's cross-entropy over all second
 * texts of its batch, by cosine over temperature (Henderson et al. 2017, "Efficient Natural Language Response Suggestion for
 * Smart Reply", section 4.4; van den Oord et al. 2018, equation 4).
 */
export class ContrastiveObjective implements Objective<TextPair> {
  readonly isJoint = true;
  private readonly first: PackedInputs;
  private readonly second: PackedInputs;
  private readonly labelled: LabelLoss;
  readonly loss: Tensor;
  readonly scored: Readonly<Record<string, Tensor>>;

  /**
   * @param options.pairs of every batch: the classes of a cross-entropy are not a symbol.
   * @param options.temperature default 0.05. @param options.pooling default `mean`.
   */
  constructor(
    private readonly network: Encoder,
    options: { pairs: number; temperature?: number | undefined; pooling?: Pooling | undefined },
  ) {
    const { pairs, temperature = 0.05, pooling = 'mean' } = options;
    checkFloat('temperature', temperature, 1e-6);
    if (!(Number.isInteger(pairs) && pairs >= 2)) {
      throw mismatch('ERR_ARGUMENT', 'batchExamples', 'a whole number from 2', `${pairs}`);
    }
    this.first = new PackedInputs('first', network);
    this.second = new PackedInputs('second', network, this.first);
    const vectors = ({ batch }: PackedInputs): Tensor => {
      const { lastHiddenState } = network.outputs(batch);
      if (!lastHiddenState) throw mismatch('ERR_UNSUPPORTED', 'model', 'an encoder', 'another');
      return l2Normalize(pool(lastHiddenState.tensor, batch.offsets, pairs, pooling));
    };
    const cosines = matmul(vectors(this.first), vectors(this.second), { transposeB: true });
    const logits = scale(cosines, 1 / temperature);
    this.labelled = new LabelLoss(logits, pairs);
    this.loss = this.labelled.loss;
    this.scored = { logits };
  }

  tokens({ first, second }: TextPair): number {
    const { limits, maxLength } = this.network;
    for (const [name, ids] of Object.entries({ first, second })) {
      if (ids.length === 0) throw mismatch('ERR_INPUT', name, 'at least one id', 'none');
      checkIds(ids, { vocabSize: limits.vocabSize, maxLength });
    }
    return Math.max(first.length, second.length);
  }

  weight(): number {
    return 1;
  }

  capacities({ tokens, examples }: RunLimits): Map<SymbolicDim, number> {
    return new Map([
      ...this.first.capacities(tokens, examples),
      ...this.second.capacities(tokens, examples),
    ]);
  }

  fill(examples: readonly TextPair[], total: number): Fed {
    const from = this.first.fill(examples.map(({ first }) => first));
    const to = this.second.fill(examples.map(({ second }) => second));
    const both = {
      feeds: { ...from.feeds, ...to.feeds },
      sizes: new Map([...from.sizes, ...to.sizes]),
    };
    return this.labelled.fill(
      both,
      examples.map((_, i) => i),
      total,
    );
  }

  correct({ logits }: Readonly<Record<string, NdArray>>, examples: readonly TextPair[]): number {
    const labels = examples.map((_, i) => [i]);
    return logits ? countRight(logits, labels) : 0;
  }
}
