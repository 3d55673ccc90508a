import { inLayer, type Tensor } from '../graph/tensor.js';
import { type Compute, linear } from '../ops/index.js';
import { type LayerOptions, Scope } from './scope.js';

/** y = x·Wᵀ + b. x: float32 [rows, inputs] → [rows, outputs]. Parameters: `weight` [outputs, inputs], `bias` [outputs]. */
export class Linear {
  readonly path: string;
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  private readonly compute: Compute;

  /** @param options.weight a weight shared with another layer, such as tied embeddings. */
  constructor(
    readonly inputs: number,
    readonly outputs: number,
    {
      bias = true,
      weight,
      scope = Scope.random(),
    }: LayerOptions & { bias?: boolean; weight?: Tensor } = {},
  ) {
    this.path = scope.path;
    this.compute = scope.compute;
    // Bounds of torch.nn.Linear: He et al. 2015 with a = √5, which is 1 / √inputs.
    const init = { kind: 'uniform', bound: 1 / Math.sqrt(Math.max(1, inputs)) } as const;
    this.weight = weight ?? scope.parameter('weight', [outputs, inputs], 'linear', init);
    this.bias = bias ? scope.parameter('bias', [outputs], 'vector', init) : undefined;
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, compute } = this;
    return inLayer(this.path, () => linear(x, weight, bias, { compute }));
  }
}
