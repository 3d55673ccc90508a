import { checkChoice, checkSizes } from '../graph/options.js';
import { inLayer, type Tensor } from '../graph/tensor.js';
import { embedding } from '../ops/index.js';
import { Embedding } from './embedding.js';
import { Layer } from './layer.js';
import type { LayerOptions } from './scope.js';

/** Learned positions: one row of a table for each position. Parameter: `weight` [maxLength, dModel]. */
export class LearnedPositions extends Embedding {
  constructor(maxLength: number, dModel: number, options: LayerOptions = {}) {
    super(maxLength, dModel, options);
  }
}

/** Where sines and cosines lie: in turn, as in the paper, or all sines before all cosines, as in Marian. */
export type SinusoidalLayout = 'interleaved' | 'halves';

/**
 * Sinusoidal positions (Vaswani et al. 2017, section 3.5): sin(p / 10000^{2i/d}) at even columns 2i, cos at odd ones, or with
 * the layout `halves` at columns i and ⌈d/2⌉ + i. Not a parameter; a table up to `maxLength`.
 */
export class SinusoidalPositions extends Layer {
  private readonly table: Tensor;

  constructor(
    readonly maxLength: number,
    readonly dModel: number,
    options: LayerOptions & { layout?: SinusoidalLayout | undefined } = {},
  ) {
    super('SinusoidalPositions', options, ['layout']);
    checkSizes('SinusoidalPositions', { maxLength, dModel });
    const { layout = 'interleaved' } = options;
    checkChoice('SinusoidalPositions: layout', layout, ['interleaved', 'halves']);
    const half = Math.ceil(dModel / 2);
    const placeOf = (column: number): number =>
      layout === 'interleaved' ? column : (column % 2) * half + Math.floor(column / 2);
    const data = new Float32Array(maxLength * dModel);
    for (let position = 0; position < maxLength; position++) {
      for (let column = 0; column < dModel; column++) {
        const angle = position / 10000 ** ((column - (column % 2)) / dModel);
        data[position * dModel + placeOf(column)] = column % 2 ? Math.cos(angle) : Math.sin(angle);
      }
    }
    this.table = this.scope.buffer('sinusoidal positions', [maxLength, dModel], data);
  }

  /** positions: int32 [rows] → float32 [rows, dModel]. */
  forward(positions: Tensor): Tensor {
    return inLayer(this.scope.path, () => embedding(this.table, positions));
  }
}
