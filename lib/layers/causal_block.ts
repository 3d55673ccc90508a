import type { Tensor } from '../graph/tensor.js';
import { add } from '../ops/index.js';
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
    const { attention, feedForward, norms, parallel } = this.parts;
    const normed = norms.beforeAttention?.forward(x) ?? x;
    const mixed = attention.forward(normed, sequences, observe);
    const attended = add(dropped(norms.afterAttention?.forward(mixed) ?? mixed, 'residual'), x);
    const source = parallel ? x : attended;
    // One norm may serve both parts: it is computed once.
    const isShared = parallel && norms.beforeFeedForward === norms.beforeAttention;
    const read = isShared ? normed : (norms.beforeFeedForward?.forward(source) ?? source);
    const fed = feedForward.forward(read);
    return add(dropped(norms.afterFeedForward?.forward(fed) ?? fed, 'residual'), attended);
  }
}
