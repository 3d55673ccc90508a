import { checkSizes } from '../graph/options.js';
import { inLayer, type Tensor } from '../graph/tensor.js';
import { linear } from '../ops/index.js';
import { Layer } from './layer.js';
import type { LayerOptions } from './scope.js';

/** y = x·Wᵀ + b. x: float32 [rows, inputs] → [rows, outputs]. Parameters: `weight` [outputs, inputs], `bias` [outputs]. */
export class Linear extends Layer {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  /** @param options.weight a weight shared with another layer, such as tied embeddings. */
  constructor(
    readonly inputs: number,
    readonly outputs: number,
    options: LayerOptions & { bias?: boolean; weight?: Tensor } = {},
  ) {
    super('Linear', options, ['bias', 'weight']);
    checkSizes('Linear', { inputs, outputs });
    const { bias = true, weight } = options;
    // Bounds of torch.nn.Linear: He et al. 2015 with a = √5, which is 1 / √inputs.
    const init = { kind: 'uniform', bound: 1 / Math.sqrt(inputs) } as const;
    this.weight = weight ?? this.scope.parameter('weight', [outputs, inputs], 'linear', init);
    this.bias = bias ? this.scope.parameter('bias', [outputs], 'vector', init) : undefined;
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, scope } = this;
    return inLayer(scope.path, () => linear(x, weight, bias, { compute: scope.compute }));
  }
}
