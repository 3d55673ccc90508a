import { HeddleError } from '../errors.js';
import { checkSizes } from '../graph/options.js';
import { inLayer, type Tensor } from '../graph/tensor.js';
import { type RotaryTables, rope } from '../ops/index.js';
import { Layer } from './layer.js';
import type { LayerOptions } from './scope.js';

export interface RotaryPositionsOptions extends LayerOptions {
  /** θᵢ, radians for each position, of the angles that pairs of components turn by. */
  frequencies: readonly number[];
  /** Further sets of frequencies: variants 1, 2 … of the angles, after variant 0. */
  variants?: readonly (readonly number[])[];
  /** Positions that there are. */
  maxLength: number;
  /** Factor of all cosines and sines (Peng et al. 2023, "YaRN", section 3.4); default 1. */
  scale?: number;
}

/** Rows of the fine table; the coarse one then has a row for each 256 positions. */
const fineRows = 256;

/** Rotary position embeddings (Su et al. 2021). Not a parameter: two small tables of angles, made in float64. */
export class RotaryPositions extends Layer {
  private readonly tables: RotaryTables;
  /** What is added to a position for each variant of the angles. */
  readonly span: number;

  constructor(options: RotaryPositionsOptions) {
    super('RotaryPositions', options, ['frequencies', 'variants', 'maxLength', 'scale']);
    const { frequencies, variants = [], maxLength, scale = 1 } = options;
    checkSizes('RotaryPositions', { maxLength, angles: frequencies.length });
    const angles = frequencies.length;
    const sets = [frequencies, ...variants];
    const table = (name: string, rows: number, step: number, factor: number): Tensor => {
      const data = new Float32Array(sets.length * rows * 2 * angles);
      sets.forEach((set, variant) => {
        for (let row = 0; row < rows; row++) {
          const at = (variant * rows + row) * 2 * angles;
          set.forEach((frequency, i) => {
            const angle = row * step * frequency;
            data[at + i] = factor * Math.cos(angle);
            data[at + angles + i] = factor * Math.sin(angle);
          });
        }
      });
      const shape = [sets.length * rows, 2 * angles];
      return this.scope.buffer(`rotary positions ${name}`, shape, data);
    };
    const coarseRows = Math.ceil(maxLength / fineRows);
    this.span = fineRows * coarseRows;
    this.tables = {
      fine: table('fine', fineRows, 1, 1),
      coarse: table('coarse', coarseRows, fineRows, scale),
      variants: sets.length,
    };
  }

  /** x: float32 [rows, heads·size]; positions: int32 [rows]. @returns float32 [rows, heads·size]. */
  forward(x: Tensor, positions: Tensor, heads: number): Tensor {
    return inLayer(this.scope.path, () => rope(x, positions, { heads, tables: this.tables }));
  }
}

/**
 * base^(−2i / dims) for i from 0 to dims/2 − 1, the frequencies of the paper (section 3.2.2), rounded to float32, in which
 * models were trained with them. Throws ERR_SHAPE for an odd number of components.
 */
export function rotaryFrequencies(dims: number, base: number): number[] {
  if (!(Number.isInteger(dims) && dims > 0 && dims % 2 === 0)) {
    const message = `rotary positions: expected an even number of components, found ${dims}`;
    throw new HeddleError('ERR_SHAPE', message, { found: `${dims}` });
  }
  return Array.from({ length: dims / 2 }, (_, i) => Math.fround(1 / base ** ((2 * i) / dims)));
}
