import type { Tensor } from '../graph/tensor.js';
import { add, scale } from '../ops/index.js';
import type { AttentionCall } from './attention.js';
import type { CausalAttention, CausalSequences, Norm } from './causal_attention.js';
import { dropped } from './train_mode.js';

export interface CausalBlockParts {
  attention: CausalAttention;
  feedForward: { forward(x: Tensor): Tensor };
  /** Norms of what each part reads and of what it gives; most models have two of the four. */
  norms: {
    beforeAttention?: Norm | undefined;
    afterAttention?: Norm | undefined;
    beforeFeedForward?: Norm | undefined;
    afterFeedForward?: Norm | undefined;
  };
  /** Both parts read the block's input, and are added together (Wang & Komatsuzaki 2021, "GPT-J-6B"). */
  parallel?: boolean;
  /** Factor of what each part gives, before it is added; default 1. */
  residualScale?: number | undefined;
}

/** One layer of a decoder-only model: self-attention and feed-forward, each with a residual connection. */
export class CausalBlock {
  constructor(private readonly parts: CausalBlockParts) {}

  /** x: float32 [rows, width]. `observe` is told what the attention is computed from. */
  forward(
    x: Tensor,
    sequences: CausalSequences,
    { observe }: { observe?: (call: AttentionCall) => void } = {},
  ): Tensor {
    const { attention, feedForward, norms, parallel, residualScale = 1 } = this.parts;
    const given = (part: Tensor): Tensor =>
      dropped(residualScale === 1 ? part : scale(part, residualScale), 'residual');
    const normed = norms.beforeAttention?.forward(x) ?? x;
    const mixed = attention.forward(normed, sequences, observe);
    const attended = add(given(norms.afterAttention?.forward(mixed) ?? mixed), x);
    const source = parallel ? x : attended;
    // One norm may serve both parts: it is computed once.
    const isShared = parallel && norms.beforeFeedForward === norms.beforeAttention;
    const read = isShared ? normed : (norms.beforeFeedForward?.forward(source) ?? source);
    const fed = feedForward.forward(read);
    return add(given(norms.afterFeedForward?.forward(fed) ?? fed), attended);
  }
}
