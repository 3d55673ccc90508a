import { inLayer, type Tensor } from '../graph/tensor.js';
import { layerNorm, rmsNorm } from '../ops/index.js';
import { type LayerOptions, Scope } from './scope.js';

/** Layer normalisation over the features. Parameters: `weight` and `bias` [width]. */
export class LayerNorm {
  readonly path: string;
  private readonly gamma: Tensor;
  private readonly beta: Tensor;
  private readonly epsilon: number;

  constructor(
    readonly width: number,
    { epsilon = 1e-5, scope = Scope.random() }: LayerOptions & { epsilon?: number } = {},
  ) {
    this.path = scope.path;
    this.epsilon = epsilon;
    this.gamma = scope.parameter('weight', [width], 'vector', { kind: 'constant', value: 1 });
    this.beta = scope.parameter('bias', [width], 'vector', { kind: 'constant', value: 0 });
  }

  /** x: float32 [rows, width]. */
  forward(x: Tensor): Tensor {
    return inLayer(this.path, () => layerNorm(x, this.gamma, this.beta, this.epsilon));
  }
}

/** Root mean square normalisation over the features. Parameter: `weight` [width]. */
export class RmsNorm {
  readonly path: string;
  private readonly gamma: Tensor;
  private readonly epsilon: number;
  private readonly offset: number;

  /** @param options.offset added to the weight, as Gemma stores it (1 + weight). */
  constructor(
    readonly width: number,
    {
      epsilon = 1e-6,
      offset = 0,
      scope = Scope.random(),
    }: LayerOptions & { epsilon?: number; offset?: number } = {},
  ) {
    this.path = scope.path;
    this.epsilon = epsilon;
    this.offset = offset;
    const init = { kind: 'constant', value: 1 - offset } as const;
    this.gamma = scope.parameter('weight', [width], 'vector', init);
  }

  /** x: float32 [rows, width]. */
  forward(x: Tensor): Tensor {
    return inLayer(this.path, () => rmsNorm(x, this.gamma, this.epsilon, this.offset));
  }
}
