import { checkSizes } from '../graph/options.js';
import type { Tensor } from '../graph/tensor.js';
import { type Activation, add } from '../ops/index.js';
import {
  type AttentionNames,
  MultiHeadAttention,
  type SelfAttention,
  type SelfAttentionOptions,
} from './attention.js';
import { FeedForward } from './feed_forward.js';
import { Layer } from './layer.js';
import { LayerNorm } from './norm.js';
import type { LayerOptions, Scope } from './scope.js';
import type { Sequences } from './sequence.js';
import { type Dropout, type DropoutRates, dropoutRates, dropped } from './train_mode.js';

export interface EncoderLayerNames extends AttentionNames {
  attentionNorm: string;
  up: string;
  down: string;
  feedForwardNorm: string;
}

export interface BlockOptions extends LayerOptions {
  dModel: number;
  numHeads: number;
  dFeedForward: number;
  activation?: Activation;
  /** Normalise before each part (Xiong et al. 2020) instead of after its residual addition (Vaswani et al. 2017). */
  normFirst?: boolean;
  epsilon?: number;
  /** In `trainMode`; default 0. */
  dropout?: Dropout;
}

export interface EncoderLayerOptions extends BlockOptions {
  names?: EncoderLayerNames;
  /** Another kind of attention; default: `MultiHeadAttention`. */
  attention?: SelfAttention;
}

const blockOptions = [
  'dModel',
  'numHeads',
  'dFeedForward',
  'activation',
  'normFirst',
  'epsilon',
  'dropout',
] as const;

/** Names of torch.nn.TransformerEncoderLayer, with one projection each for queries, keys and values. */
const torchEncoderNames: EncoderLayerNames = {
  query: 'self_attn.q_proj',
  key: 'self_attn.k_proj',
  value: 'self_attn.v_proj',
  output: 'self_attn.out_proj',
  attentionNorm: 'norm1',
  up: 'linear1',
  down: 'linear2',
  feedForwardNorm: 'norm2',
};

/** How the parts of a block are joined. */
interface Joint {
  readonly normFirst: boolean;
  readonly rates: DropoutRates;
}

/** Residual connection around `part`, with the norm before it or after the addition. */
function residual(
  x: Tensor,
  norm: LayerNorm,
  { normFirst, rates }: Joint,
  part: (x: Tensor) => Tensor,
): Tensor {
  const given = dropped(part(normFirst ? norm.forward(x) : x), 'residual', rates);
  return normFirst ? add(given, x) : norm.forward(add(given, x));
}

/** Self-attention and feed-forward, each with a residual connection and a norm (Vaswani et al. 2017, section 3.1). */
export class EncoderLayer extends Layer {
  private readonly attention: SelfAttention;
  private readonly attentionNorm: LayerNorm;
  private readonly feedForward: FeedForward;
  private readonly feedForwardNorm: LayerNorm;
  private readonly joint: Joint;

  constructor(options: EncoderLayerOptions) {
    super('EncoderLayer', options, [...blockOptions, 'names', 'attention']);
    const { dModel, numHeads, dFeedForward, activation = 'relu', dropout = 0 } = options;
    const { normFirst = false, epsilon = 1e-5, names = torchEncoderNames } = options;
    const { scope } = this;
    this.joint = { normFirst, rates: dropoutRates(dropout, 'EncoderLayer: dropout') };
    this.attention =
      options.attention ?? new MultiHeadAttention({ dModel, numHeads, names, dropout, scope });
    this.attentionNorm = new LayerNorm(dModel, { epsilon, scope: scope.at(names.attentionNorm) });
    this.feedForward = new FeedForward({ dModel, dFeedForward, activation, names, dropout, scope });
    this.feedForwardNorm = new LayerNorm(dModel, {
      epsilon,
      scope: scope.at(names.feedForwardNorm),
    });
  }

  /** x: float32 [rows, dModel]. `observe` is told what the attention is computed from. */
  forward(x: Tensor, sequences: Sequences, options: SelfAttentionOptions = {}): Tensor {
    const attended = residual(x, this.attentionNorm, this.joint, (h) =>
      this.attention.forward(h, sequences, options),
    );
    return residual(attended, this.feedForwardNorm, this.joint, (h) => this.feedForward.forward(h));
  }
}

/** A stack of equal layers. @param scopeOf where the parameters of each are. */
export function encoderStack(
  count: number,
  options: Omit<EncoderLayerOptions, 'scope'>,
  scopeOf: (layer: number) => Scope,
): EncoderLayer[] {
  checkSizes('layers of the encoder', { count }, 0);
  return Array.from(
    { length: count },
    (_, i) => new EncoderLayer({ ...options, scope: scopeOf(i) }),
  );
}

/** An encoder's output, for the attention of a decoder. */
export interface Memory {
  hidden: Tensor;
  sequences: Sequences;
}

/** Causal self-attention, attention to the encoder's output, feed-forward (Vaswani et al. 2017, section 3.1). */
export class DecoderLayer extends Layer {
  private readonly selfAttention: MultiHeadAttention;
  private readonly crossAttention: MultiHeadAttention;
  private readonly feedForward: FeedForward;
  private readonly norms: readonly [LayerNorm, LayerNorm, LayerNorm];
  private readonly joint: Joint;

  constructor(options: BlockOptions) {
    super('DecoderLayer', options, blockOptions);
    const { dModel, numHeads, dFeedForward, activation = 'relu', dropout = 0 } = options;
    const { normFirst = false, epsilon = 1e-5 } = options;
    const { scope } = this;
    this.joint = { normFirst, rates: dropoutRates(dropout, 'DecoderLayer: dropout') };
    const norm = (name: string): LayerNorm =>
      new LayerNorm(dModel, { epsilon, scope: scope.at(name) });
    const attention = (name: string): MultiHeadAttention =>
      new MultiHeadAttention({ dModel, numHeads, dropout, scope: scope.at(name) });
    this.selfAttention = attention('self_attn');
    this.crossAttention = attention('multihead_attn');
    this.feedForward = new FeedForward({ dModel, dFeedForward, activation, dropout, scope });
    this.norms = [norm('norm1'), norm('norm2'), norm('norm3')];
  }

  /** x: float32 [rows, dModel]. */
  forward(x: Tensor, sequences: Sequences, memory: Memory): Tensor {
    const { joint, norms } = this;
    const own = residual(x, norms[0], joint, (h) =>
      this.selfAttention.forward(h, sequences, { causal: true }),
    );
    const crossed = residual(own, norms[1], joint, (h) =>
      this.crossAttention.forward(h, sequences, { memory }),
    );
    return residual(crossed, norms[2], joint, (h) => this.feedForward.forward(h));
  }
}
