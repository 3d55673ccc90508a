import { checkSizes } from '../graph/options.js';
import { inLayer, type Tensor } from '../graph/tensor.js';
import {
  type Activation,
  activation,
  joinExperts,
  linearExperts,
  multiply,
  routeExperts,
} from '../ops/index.js';
import { Layer } from './layer.js';
import { Linear } from './linear.js';
import type { LayerOptions } from './scope.js';

export interface MixtureOfExpertsOptions extends LayerOptions {
  dModel: number;
  /** Width inside each expert. */
  dFeedForward: number;
  numExperts: number;
  /** Experts that each row goes through. */
  numChosen: number;
  /** Whether the weights of those add up to 1. */
  normalised: boolean;
  activation: Activation;
  /** `activated`: the projection that the activation is put on; `linear`: the other one. */
  names: { router: string; experts: string; activated: string; linear: string; down: string };
}

/** Gated feed-forward networks, of which each row goes through a few (Jiang et al. 2024, "Mixtral of Experts", section 2.1). */
export class MixtureOfExperts extends Layer {
  private readonly router: Linear;
  private readonly activated: Tensor;
  private readonly linear: Tensor;
  private readonly down: Tensor;

  constructor(private readonly options: MixtureOfExpertsOptions) {
    super('MixtureOfExperts', options, [
      'dModel',
      'dFeedForward',
      'numExperts',
      'numChosen',
      'normalised',
      'activation',
      'names',
    ]);
    const { dModel, dFeedForward, numExperts, numChosen, names } = options;
    checkSizes('MixtureOfExperts', { dModel, dFeedForward, numExperts, numChosen });
    const { scope } = this;
    this.router = new Linear(dModel, numExperts, { bias: false, scope: scope.at(names.router) });
    const stacked = (name: string, outputs: number, inputs: number): Tensor =>
      scope.stacked(
        Array.from({ length: numExperts }, (_, i) => `${names.experts}.${i}.${name}.weight`),
        [outputs, inputs],
        { kind: 'uniform', bound: 1 / Math.sqrt(inputs) },
      );
    this.activated = stacked(names.activated, dFeedForward, dModel);
    this.linear = stacked(names.linear, dFeedForward, dModel);
    this.down = stacked(names.down, dModel, dFeedForward);
  }

  /** x: float32 [rows, dModel]. @returns the same shape. */
  forward(x: Tensor): Tensor {
    const { numExperts, numChosen: chosen, normalised, activation: kind } = this.options;
    return inLayer(this.scope.path, () => {
      const routing = routeExperts(this.router.forward(x), { chosen, normalised });
      const product = (rows: Tensor, weight: Tensor, gather: boolean): Tensor => {
        const { compute } = this.scope;
        return linearExperts(rows, routing, weight, {
          experts: numExperts,
          chosen,
          gather,
          compute,
        });
      };
      const inner = multiply(
        activation(product(x, this.activated, true), kind),
        product(x, this.linear, true),
      );
      return joinExperts(product(inner, this.down, false), routing, { chosen });
    });
  }
}
