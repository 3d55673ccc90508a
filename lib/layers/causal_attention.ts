import { inLayer, type Tensor } from '../graph/tensor.js';
import { type AttentionBias, type AttentionOptions, attention } from '../ops/index.js';
import type { AttentionCall } from './attention.js';
import type { Linear } from './linear.js';
import type { LayerNorm, RmsNorm } from './norm.js';
import type { Heads, QueryKeyValue } from './query_key_value.js';
import type { RotaryPositions } from './rotary.js';
import type { Sequences } from './sequence.js';
import { attentionDropout } from './train_mode.js';

/** A norm of either kind. */
export type Norm = LayerNorm | RmsNorm;

/** What of a layer's attention is not in q, k and v. */
export interface CausalScores {
  readonly heads: number;
  readonly keyHeads: number;
  /** Factor of q·k. */
  readonly scale: number;
  /** Scores become softCap·tanh(score / softCap); 0: they do not. */
  readonly softCap: number;
  /** Positions that a row sees, its own included; left out: all up to its own. */
  readonly window?: number | undefined;
  /** Added to the scores, by the key's position: float32 [heads, 1, positions]. */
  readonly positionBias?: Tensor | undefined;
}

/** Keys and values of earlier runs, which the rows of this one continue. */
export interface KeyValueCache {
  /** Adds k and v to what the layer has, and lets q attend to all of it. @returns float32 [rows, heads·size]. */
  attend(layer: number, q: Tensor, k: Tensor, v: Tensor, scores: CausalScores): Tensor;
}

/** Packed sequences of a model that reads from left to right. */
export interface CausalSequences extends Sequences {
  /** int32 [rows]: what rotary and learned positions are looked up by. */
  readonly positionIds: Tensor;
  /** Where there is one, rows attend to the sequence's earlier runs as well. */
  readonly cache?: KeyValueCache | undefined;
}

export interface CausalAttentionOptions extends Heads {
  /** Number of the layer in its model. */
  layer: number;
  projections: QueryKeyValue;
  output: Linear;
  /** Applied to queries and keys before they are turned, to each head by itself or to all of them at once. */
  norms?: { query: RmsNorm; key: RmsNorm; perHead: boolean } | undefined;
  rotary?: RotaryPositions | undefined;
  /** Default: 1 / √size. */
  scale?: number | undefined;
  softCap?: number | undefined;
  window?: number | undefined;
  positionBias?: Tensor | undefined;
}

/**
 * Self-attention in which a row sees the rows before it and itself (Radford et al. 2019), with grouped heads, rotary
 * positions, a sliding window, norms of queries and keys, a soft-cap or a position bias, as the model has them.
 */
export class CausalAttention {
  private readonly scores: CausalScores;

  constructor(private readonly options: CausalAttentionOptions) {
    const { heads, keyHeads, size, scale = 1 / Math.sqrt(size), softCap = 0 } = options;
    const { window, positionBias } = options;
    this.scores = { heads, keyHeads, scale, softCap, window, positionBias };
  }

  /** x: float32 [rows, width]. @returns the same shape. */
  forward(x: Tensor, sequences: CausalSequences, observe?: (call: AttentionCall) => void): Tensor {
    const { layer, projections, output, heads, keyHeads } = this.options;
    const { q, k, v } = projections.forward(x);
    const queries = this.place(q, heads, 'query', sequences);
    const keys = this.place(k, keyHeads, 'key', sequences);
    const mixed = inLayer(output.scope.path, () => {
      if (sequences.cache) return sequences.cache.attend(layer, queries, keys, v, this.scores);
      const options = { ...this.attentionOptions(sequences), ...attentionDropout(queries) };
      observe?.({ q: queries, k: keys, options });
      return attention(queries, keys, v, options);
    });
    return output.forward(mixed);
  }

  private place(
    x: Tensor,
    heads: number,
    kind: 'query' | 'key',
    { positionIds }: CausalSequences,
  ): Tensor {
    const { norms, rotary } = this.options;
    const normed = norms ? norms[kind].forward(x, norms.perHead ? heads : 1) : x;
    return rotary?.forward(normed, positionIds, heads) ?? normed;
  }

  private attentionOptions(sequences: CausalSequences): AttentionOptions {
    const { heads, keyHeads, scale, softCap, window, positionBias } = this.scores;
    const bias: AttentionBias | undefined = positionBias && { kind: 'dense', values: positionBias };
    // A position bias counts tokens, whatever column they stand in.
    const positions = positionBias ? sequences.positionIds : sequences.positions;
    return {
      heads,
      keyHeads,
      scale,
      softCap,
      segments: sequences.offsets,
      positions,
      keyPositions: positionBias ? positions : (sequences.keyPositions ?? positions),
      causal: true,
      ...(window === undefined ? {} : { window: { left: window - 1 } }),
      ...(bias ? { bias } : {}),
    };
  }
}
