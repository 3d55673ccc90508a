import { checkSizes } from '../graph/options.js';
import { inLayer, type Tensor } from '../graph/tensor.js';
import { embedding } from '../ops/index.js';
import { Layer } from './layer.js';
import type { LayerOptions } from './scope.js';

/** Rows of a table by id. ids: int32 [rows] → float32 [rows, width]. Parameter: `weight` [entries, width]. */
export class Embedding extends Layer {
  readonly weight: Tensor;

  constructor(
    readonly entries: number,
    readonly width: number,
    options: LayerOptions = {},
  ) {
    super('Embedding', options);
    checkSizes('Embedding', { entries, width });
    const init = { kind: 'normal', deviation: 1 } as const;
    this.weight = this.scope.parameter('weight', [entries, width], 'embedding', init);
  }

  /** @param options.scale factor of the rows, by default 1. */
  forward(ids: Tensor, options: { scale?: number } = {}): Tensor {
    return inLayer(this.scope.path, () => embedding(this.weight, ids, options));
  }
}
