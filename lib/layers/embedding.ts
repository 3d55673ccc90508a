import { inLayer, type Tensor } from '../graph/tensor.js';
import { embedding } from '../ops/index.js';
import { type LayerOptions, Scope } from './scope.js';

/** Rows of a table by id. ids: int32 [rows] → float32 [rows, width]. Parameter: `weight` [entries, width]. */
export class Embedding {
  readonly path: string;
  readonly weight: Tensor;

  constructor(
    readonly entries: number,
    readonly width: number,
    { scope = Scope.random() }: LayerOptions = {},
  ) {
    this.path = scope.path;
    const init = { kind: 'normal', deviation: 1 } as const;
    this.weight = scope.parameter('weight', [entries, width], 'embedding', init);
  }

  forward(ids: Tensor, { scale = 1 } = {}): Tensor {
    return inLayer(this.path, () => embedding(this.weight, ids, { scale }));
  }
}
