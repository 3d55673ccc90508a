import { checkSizes } from '../graph/options.js';
import type { ParameterRole } from '../graph/parameters.js';
import { inLayer, type Tensor } from '../graph/tensor.js';
import { linear } from '../ops/index.js';
import { Layer } from './layer.js';
import { LowRankUpdates } from './low_rank.js';
import type { LayerOptions } from './scope.js';
import { trainedIn } from './train_mode.js';

/** Which rows of a larger projection a checkpoint stores a layer as, such as the keys in one tensor for q, k and v. */
export interface ProjectionPart {
  /** Its first output. */
  first: number;
  /** Outputs of the whole. */
  of: number;
}

/** y = x·Wᵀ + b. x: float32 [rows, inputs] → [rows, outputs]. Parameters: `weight` [outputs, inputs], `bias` [outputs]. */
export class Linear extends Layer {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  private readonly updates: LowRankUpdates;

  /**
   * @param options.weight a weight shared with another layer, such as tied embeddings.
   * @param options.part where the checkpoint has the layer in one tensor with others.
   * @param options.transposed the checkpoint has the weight as [inputs, outputs], as GPT-2's Conv1D.
   */
  constructor(
    readonly inputs: number,
    readonly outputs: number,
    options: LayerOptions & {
      bias?: boolean;
      weight?: Tensor;
      part?: ProjectionPart | undefined;
      transposed?: boolean | undefined;
    } = {},
  ) {
    super('Linear', options, ['bias', 'weight', 'part', 'transposed']);
    checkSizes('Linear', { inputs, outputs });
    const { bias = true, weight, part, transposed = false } = options;
    // Bounds of torch.nn.Linear: He et al. 2015 with a = √5, which is 1 / √inputs.
    const init = { kind: 'uniform', bound: 1 / Math.sqrt(inputs) } as const;
    const parameter = (name: string, row: readonly number[], role: ParameterRole): Tensor => {
      const stored = part && {
        shape: [part.of, ...row],
        offset: row.reduce((size, dim) => size * dim, part.first),
      };
      return this.scope.parameter(name, [outputs, ...row], role, init, stored);
    };
    const conv1d = { shape: [inputs, outputs], offset: 0, transposed: true };
    this.weight =
      weight ??
      (transposed
        ? this.scope.parameter('weight', [outputs, inputs], 'linear', init, conv1d)
        : parameter('weight', [inputs], 'linear'));
    this.bias = bias ? parameter('bias', [], 'vector') : undefined;
    this.updates = new LowRankUpdates(this.scope, inputs, outputs, part);
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, scope } = this;
    const compute = weight.dtype === 'float32' ? trainedIn() : scope.compute;
    return inLayer(scope.path, () => this.updates.addTo(linear(x, weight, bias, { compute }), x));
  }
}
