import { HeddleError } from '../errors.js';
import { checkOptions, checkSizes } from '../graph/options.js';
import { inLayer, type Tensor } from '../graph/tensor.js';
import { type AttentionOptions, add, attention, embedding, pool } from '../ops/index.js';
import { Layer } from './layer.js';
import { Linear } from './linear.js';
import type { LayerOptions } from './scope.js';
import { type Sequences, unseen } from './sequence.js';
import { attentionDropout, type Dropout, type DropoutRates, dropoutRates } from './train_mode.js';

/** Names of the four projections below the layer, as the checkpoint spells them. */
export interface AttentionNames {
  query: string;
  key: string;
  value: string;
  output: string;
}

/** Names where queries, keys and values are one projection, in this order. */
export interface FusedAttentionNames {
  queryKeyValue: string;
  output: string;
}

export interface MultiHeadAttentionOptions extends LayerOptions {
  dModel: number;
  numHeads: number;
  /** Heads of keys and values, for grouped-query attention; default: `numHeads`. */
  numKeyHeads?: number;
  bias?: boolean;
  names?: AttentionNames | FusedAttentionNames;
  /** Rates of the layer's own, of which `attention` is its. */
  dropout?: Dropout;
}

/** How a call of self-attention differs from the plain one. */
export interface SelfAttentionOptions {
  bias?: AttentionOptions['bias'] | undefined;
  observe?: ((call: AttentionCall) => void) | undefined;
}

/** What a layer of an encoder needs of its attention. */
export interface SelfAttention {
  /** x: float32 [rows, dModel]. @returns the same shape. */
  forward(x: Tensor, sequences: Sequences, options?: SelfAttentionOptions): Tensor;
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
export class MultiHeadAttention extends Layer implements SelfAttention {
  private readonly numHeads: number;
  private readonly numKeyHeads: number;
  private readonly query: Linear;
  private readonly key: Linear;
  private readonly value: Linear;
  private readonly output: Linear;
  private readonly rates: DropoutRates;

  constructor(options: MultiHeadAttentionOptions) {
    const known = ['dModel', 'numHeads', 'numKeyHeads', 'bias', 'names', 'dropout'];
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
    this.rates = dropoutRates(options.dropout ?? 0, 'MultiHeadAttention: dropout');
    this.numHeads = numHeads;
    this.numKeyHeads = numKeyHeads;
    const keyWidth = (dModel / numHeads) * numKeyHeads;
    const projection = (name: keyof AttentionNames, width: number, first: number): Linear => {
      if (!('queryKeyValue' in names)) {
        return new Linear(dModel, width, { bias, scope: scope.at(names[name]) });
      }
      const part = { first, of: dModel + 2 * keyWidth };
      return new Linear(dModel, width, { bias, scope: scope.at(names.queryKeyValue), part });
    };
    this.query = projection('query', dModel, 0);
    this.key = projection('key', keyWidth, dModel);
    this.value = projection('value', keyWidth, dModel + keyWidth);
    this.output = new Linear(dModel, dModel, { bias, scope: scope.at(names.output) });
  }

  /**
   * @param x queries, float32 [rows, dModel]. @param sequences of x.
   * @param options.memory where keys and values come from, if not from x: the encoder's output.
   * @param options.rotate turns queries and keys by their positions. @param options.window positions seen before and after.
   * @returns float32 [rows, dModel].
   */
  forward(
    x: Tensor,
    sequences: Sequences,
    options: {
      memory?: { hidden: Tensor; sequences: Sequences } | undefined;
      causal?: boolean;
      rotate?: ((x: Tensor, heads: number) => Tensor) | undefined;
      window?: { left: number; right: number } | undefined;
    } & SelfAttentionOptions = {},
  ): Tensor {
    const known = ['memory', 'causal', 'rotate', 'window', 'bias', 'observe'] as const;
    checkOptions('MultiHeadAttention.forward', options, known);
    const { memory, causal = false, rotate = (rows) => rows, window, bias, observe } = options;
    const source = memory?.hidden ?? x;
    const keySequences = memory?.sequences ?? sequences;
    const q = rotate(this.query.forward(x), this.numHeads);
    const k = rotate(this.key.forward(source), this.numKeyHeads);
    const v = this.value.forward(source);
    const attend: AttentionOptions = {
      heads: this.numHeads,
      keyHeads: this.numKeyHeads,
      segments: sequences.offsets,
      keySegments: keySequences.offsets,
      positions: sequences.positions,
      keyPositions: keySequences.keyPositions ?? keySequences.positions,
      causal,
      ...seenWindow(keySequences, window),
      ...(bias ? { bias } : {}),
      ...attentionDropout(q, this.rates),
    };
    observe?.({ q, k, options: attend });
    const mixed = inLayer(this.scope.path, () => attention(q, k, v, attend));
    return this.output.forward(window ? withMeans(mixed, v, keySequences) : mixed);
  }
}

/** The window of attention to these keys, which those that must not be seen lie outside of. */
export function seenWindow(
  { keyPositions }: Sequences,
  window?: { left: number; right: number },
): Pick<AttentionOptions, 'window'> {
  if (window) return { window };
  return keyPositions ? { window: { right: unseen / 2 } } : {};
}

/** What attention gives, zeros where a row saw nothing, with the mean of the values in the place of these. */
export function withMeans(mixed: Tensor, v: Tensor, { blind }: Sequences): Tensor {
  if (!blind) return mixed;
  const means = pool(v, blind.offsets, blind.count, 'mean');
  return add(mixed, embedding(means, blind.sequences));
}
