import { checkSizes } from '../graph/options.js';
import type { Tensor } from '../graph/tensor.js';
import { type Activation, activation } from '../ops/index.js';
import { Layer } from './layer.js';
import { Linear } from './linear.js';
import type { LayerOptions } from './scope.js';

export interface FeedForwardOptions extends LayerOptions {
  dModel: number;
  dFeedForward: number;
  activation?: Activation;
  names?: { up: string; down: string };
}

/** Position-wise feed-forward network, f(x·W₁ + b₁)·W₂ + b₂ (Vaswani et al. 2017, section 3.3). */
export class FeedForward extends Layer {
  private readonly up: Linear;
  private readonly down: Linear;
  private readonly activation: Activation;

  constructor(options: FeedForwardOptions) {
    super('FeedForward', options, ['dModel', 'dFeedForward', 'activation', 'names']);
    const {
      dModel,
      dFeedForward,
      activation: kind = 'relu',
      names = { up: 'linear1', down: 'linear2' },
    } = options;
    checkSizes('FeedForward', { dModel, dFeedForward });
    this.activation = kind;
    this.up = new Linear(dModel, dFeedForward, { scope: this.scope.at(names.up) });
    this.down = new Linear(dFeedForward, dModel, { scope: this.scope.at(names.down) });
  }

  /** x: float32 [rows, dModel]. */
  forward(x: Tensor): Tensor {
    return this.down.forward(activation(this.up.forward(x), this.activation));
  }
}
