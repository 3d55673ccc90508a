import { HeddleError } from '../errors.js';
import { checkOptions, checkSizes } from '../graph/options.js';
import { inLayer, type Tensor } from '../graph/tensor.js';
import { type AttentionOptions, attention } from '../ops/index.js';
import { Layer } from './layer.js';
import { Linear } from './linear.js';
import type { LayerOptions } from './scope.js';
import { type Sequences, unseen } from './sequence.js';

/** Names of the four projections below the layer, as the checkpoint spells them. */
export interface AttentionNames {
  query: string;
  key: string;
  value: string;
  output: string;
}

export interface MultiHeadAttentionOptions extends LayerOptions {
  dModel: number;
  numHeads: number;
  /** Heads of keys and values, for grouped-query attention; default: `numHeads`. */
  numKeyHeads?: number;
  bias?: boolean;
  names?: AttentionNames;
}

/** What a layer computed on the way to its result, for those who want to look inside. */
export interface AttentionCall {
  q: Tensor;
  k: Tensor;
  options: AttentionOptions;
}

/**
 * Multi-head attention (Vaswani et al. 2017, section 3.2.2): projections to queries, keys and values, scaled
 * dot-product attention in each head, and a projection of the concatenated heads.
 */
export class MultiHeadAttention extends Layer {
  private readonly numHeads: number;
  private readonly numKeyHeads: number;
  private readonly query: Linear;
  private readonly key: Linear;
  private readonly value: Linear;
  private readonly output: Linear;

  constructor(options: MultiHeadAttentionOptions) {
    const known = ['dModel', 'numHeads', 'numKeyHeads', 'bias', 'names'];
    super('MultiHeadAttention', options, known);
    const { dModel, numHeads, numKeyHeads = numHeads, bias = true } = options;
    const { names = { query: 'q_proj', key: 'k_proj', value: 'v_proj', output: 'out_proj' } } =
      options;
    const { scope } = this;
    checkSizes('MultiHeadAttention', { dModel, numHeads, numKeyHeads });
    if (!(Number.isInteger(dModel / numHeads) && Number.isInteger(numHeads / numKeyHeads))) {
      throw new HeddleError(
        'ERR_SHAPE',
        `attention: expected heads that divide the width and key heads that divide the heads, found ` +
          `${numHeads} heads and ${numKeyHeads} key heads for a width of ${dModel}`,
      );
    }
    this.numHeads = numHeads;
    this.numKeyHeads = numKeyHeads;
    const keyWidth = (dModel / numHeads) * numKeyHeads;
    this.query = new Linear(dModel, dModel, { bias, scope: scope.at(names.query) });
    this.key = new Linear(dModel, keyWidth, { bias, scope: scope.at(names.key) });
    this.value = new Linear(dModel, keyWidth, { bias, scope: scope.at(names.value) });
    this.output = new Linear(dModel, dModel, { bias, scope: scope.at(names.output) });
  }

  /**
   * @param x queries, float32 [rows, dModel]. @param sequences of x.
   * @param options.memory where keys and values come from, if not from x: the encoder's output.
   * @returns float32 [rows, dModel].
   */
  forward(
    x: Tensor,
    sequences: Sequences,
    options: {
      memory?: { hidden: Tensor; sequences: Sequences } | undefined;
      causal?: boolean;
      bias?: AttentionOptions['bias'] | undefined;
      observe?: ((call: AttentionCall) => void) | undefined;
    } = {},
  ): Tensor {
    checkOptions('MultiHeadAttention.forward', options, ['memory', 'causal', 'bias', 'observe']);
    const { memory, causal = false, bias, observe } = options;
    const source = memory?.hidden ?? x;
    const keySequences = memory?.sequences ?? sequences;
    const q = this.query.forward(x);
    const k = this.key.forward(source);
    const v = this.value.forward(source);
    const attend: AttentionOptions = {
      heads: this.numHeads,
      keyHeads: this.numKeyHeads,
      segments: sequences.offsets,
      keySegments: keySequences.offsets,
      positions: sequences.positions,
      keyPositions: keySequences.keyPositions ?? keySequences.positions,
      causal,
      ...(keySequences.keyPositions ? { window: { right: unseen / 2 } } : {}),
      ...(bias ? { bias } : {}),
    };
    observe?.({ q, k, options: attend });
    const mixed = inLayer(this.scope.path, () => attention(q, k, v, attend));
    return this.output.forward(mixed);
  }
}
