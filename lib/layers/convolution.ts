import { checkSizes } from '../graph/options.js';
import { inLayer, type Tensor } from '../graph/tensor.js';
import { linear, unfold } from '../ops/index.js';
import { Layer } from './layer.js';
import type { LayerOptions } from './scope.js';
import type { Sequences } from './sequence.js';

/**
 * Convolution over the rows of each sequence, which count as zeros beyond its ends. x: float32 [rows, inputs] → [rows, outputs].
 * Parameters: `weight` [outputs, inputs, size] and `bias` [outputs], as torch.nn.Conv1d has them.
 */
export class Convolution extends Layer {
  private readonly weight: Tensor;
  private readonly bias: Tensor;

  /** @param size rows that each result is made of, an odd number. */
  constructor(
    readonly inputs: number,
    readonly outputs: number,
    readonly size: number,
    options: LayerOptions = {},
  ) {
    super('Convolution', options);
    checkSizes('Convolution', { inputs, outputs, size });
    const init = { kind: 'uniform', bound: 1 / Math.sqrt(inputs * size) } as const;
    const stored = { shape: [outputs, inputs, size], offset: 0 };
    const shape = [outputs, inputs * size];
    this.weight = this.scope.parameter('weight', shape, 'linear', init, stored);
    this.bias = this.scope.parameter('bias', [outputs], 'vector', init);
  }

  forward(x: Tensor, { positions, offsets: segments }: Sequences): Tensor {
    const { weight, bias, size, scope } = this;
    const { compute } = scope;
    return inLayer(scope.path, () =>
      linear(unfold(x, { size, positions, segments }), weight, bias, { compute }),
    );
  }
}
