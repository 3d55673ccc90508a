import { checkSizes } from '../graph/options.js';
import { inLayer, type Tensor } from '../graph/tensor.js';
import { type Activation, activation, multiply } from '../ops/index.js';
import { Layer } from './layer.js';
import { Linear } from './linear.js';
import type { LayerOptions } from './scope.js';
import { type Dropout, type DropoutRates, dropoutRates, dropped } from './train_mode.js';

export interface FeedForwardOptions extends LayerOptions {
  dModel: number;
  dFeedForward: number;
  activation?: Activation;
  bias?: boolean;
  names?: { up: string; down: string };
  /** The checkpoint has weights as [inputs, outputs], as GPT-2's Conv1D. */
  transposed?: boolean;
  /** In `trainMode`; default 0. */
  dropout?: Dropout;
}

/** Position-wise feed-forward network, f(x·W₁ + b₁)·W₂ + b₂ (Vaswani et al. 2017, section 3.3). */
export class FeedForward extends Layer {
  private readonly up: Linear;
  private readonly down: Linear;
  private readonly activation: Activation;
  private readonly rates: DropoutRates;

  constructor(options: FeedForwardOptions) {
    const known = [
      'dModel',
      'dFeedForward',
      'activation',
      'bias',
      'names',
      'transposed',
      'dropout',
    ];
    super('FeedForward', options, known);
    const {
      dModel,
      dFeedForward,
      activation: kind = 'relu',
      bias = true,
      transposed = false,
      names = { up: 'linear1', down: 'linear2' },
    } = options;
    checkSizes('FeedForward', { dModel, dFeedForward });
    this.activation = kind;
    this.rates = dropoutRates(options.dropout ?? 0, 'FeedForward: dropout');
    const layer = (inputs: number, outputs: number, name: string): Linear =>
      new Linear(inputs, outputs, { bias, transposed, scope: this.scope.at(name) });
    this.up = layer(dModel, dFeedForward, names.up);
    this.down = layer(dFeedForward, dModel, names.down);
  }

  /** x: float32 [rows, dModel]. */
  forward(x: Tensor): Tensor {
    return inLayer(this.scope.path, () => {
      const activated = activation(this.up.forward(x), this.activation);
      return this.down.forward(dropped(activated, 'activation', this.rates));
    });
  }
}

export interface GatedFeedForwardOptions extends LayerOptions {
  dModel: number;
  dFeedForward: number;
  activation: Activation;
  bias?: boolean;
  /**
   * `activated` is the projection that the activation is put on, `linear` the other; `upAndGate` is one projection to both,
   * in this order.
   */
  names: { upAndGate: string; down: string } | { activated: string; linear: string; down: string };
}

/** Feed-forward network with a gate, (f(x·W₁ + b₁) ⊙ (x·V + c))·W₂ + b₂ (Shazeer 2020, "GLU Variants Improve Transformer"). */
export class GatedFeedForward extends Layer {
  private readonly up: Linear;
  private readonly gate: Linear;
  private readonly down: Linear;
  private readonly activation: Activation;

  constructor(options: GatedFeedForwardOptions) {
    const known = ['dModel', 'dFeedForward', 'activation', 'bias', 'names'];
    super('GatedFeedForward', options, known);
    const { dModel, dFeedForward, bias = true, names } = options;
    checkSizes('GatedFeedForward', { dModel, dFeedForward });
    this.activation = options.activation;
    const projection = (name: 'activated' | 'linear', first: number): Linear => {
      const isOne = 'upAndGate' in names;
      const scope = this.scope.at(isOne ? names.upAndGate : names[name]);
      const part = isOne ? { first, of: 2 * dFeedForward } : undefined;
      return new Linear(dModel, dFeedForward, { bias, scope, part });
    };
    this.up = projection('activated', 0);
    this.gate = projection('linear', dFeedForward);
    this.down = new Linear(dFeedForward, dModel, { bias, scope: this.scope.at(names.down) });
  }

  /** x: float32 [rows, dModel]. */
  forward(x: Tensor): Tensor {
    return inLayer(this.scope.path, () => {
      const up = activation(this.up.forward(x), this.activation);
      return this.down.forward(dropped(multiply(up, this.gate.forward(x)), 'activation'));
    });
  }
}
