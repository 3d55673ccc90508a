import { checkSizes } from '../graph/options.js';
import { inLayer, type Tensor } from '../graph/tensor.js';
import { layerNorm, rmsNorm } from '../ops/index.js';
import { Layer } from './layer.js';
import type { LayerOptions } from './scope.js';

/** Layer normalisation over the features. Parameters: `weight` and, unless left out, `bias` [width]. */
export class LayerNorm extends Layer {
  private readonly gamma: Tensor;
  private readonly beta: Tensor | undefined;
  private readonly epsilon: number;

  constructor(
    readonly width: number,
    options: LayerOptions & { epsilon?: number; bias?: boolean } = {},
  ) {
    super('LayerNorm', options, ['epsilon', 'bias']);
    checkSizes('LayerNorm', { width });
    this.epsilon = options.epsilon ?? 1e-5;
    this.gamma = this.scope.parameter('weight', [width], 'vector', { kind: 'constant', value: 1 });
    const zero = { kind: 'constant', value: 0 } as const;
    this.beta =
      (options.bias ?? true) ? this.scope.parameter('bias', [width], 'vector', zero) : undefined;
  }

  /** x: float32 [rows, width]. */
  forward(x: Tensor): Tensor {
    return inLayer(this.scope.path, () => layerNorm(x, this.gamma, this.beta, this.epsilon));
  }
}

/** Root mean square normalisation over the features. Parameter: `weight` [width]. */
export class RmsNorm extends Layer {
  private readonly gamma: Tensor;
  private readonly epsilon: number;
  private readonly offset: number;

  /** @param options.offset added to the weight, as Gemma stores it (1 + weight). */
  constructor(
    readonly width: number,
    options: LayerOptions & { epsilon?: number; offset?: number } = {},
  ) {
    super('RmsNorm', options, ['epsilon', 'offset']);
    checkSizes('RmsNorm', { width });
    const { epsilon = 1e-6, offset = 0 } = options;
    this.epsilon = epsilon;
    this.offset = offset;
    const init = { kind: 'constant', value: 1 - offset } as const;
    this.gamma = this.scope.parameter('weight', [width], 'vector', init);
  }

  /** x: float32 [rows, width], or [rows, groups·width], each part of which is normalised by itself. */
  forward(x: Tensor, groups = 1): Tensor {
    const { gamma, epsilon, offset, scope } = this;
    return inLayer(scope.path, () => rmsNorm(x, gamma, epsilon, offset, groups));
  }
}
