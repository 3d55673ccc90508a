import { mismatch } from '../errors.js';
import { checkOptions, checkSizes } from '../graph/options.js';
import { bytesOf, type OpRule, registerOp } from '../graph/rules.js';
import { record, type Tensor, tensor } from '../graph/tensor.js';
import { multiply } from './elementwise.js';
import { checkIndices, dims, expectInt32, fixed, float32 } from './operands.js';

/** Cosines and then sines, [rows, 2·m]: of the angles of positions 0, 1, 2 … and of every multiple of their count. */
export interface RotaryTables {
  fine: Tensor;
  coarse: Tensor;
  /** How many sets of angles follow each other in both tables, with equally many rows; default 1. */
  variants?: number;
}

type RopeAttributes = { heads: number; variants: number };

const rule: OpRule<RopeAttributes> = registerOp<RopeAttributes>({
  name: 'rope',
  operands: ['x', 'positions', 'fine', 'coarse'],
  infer([x, positions, fine, coarse], { heads, variants }) {
    const [rows, width] = dims(float32(x, 'x'), 'x', ['rows', 'heads·size']);
    const size = fixed(width, 'x') / heads;
    if (!Number.isInteger(size) || size === 0) {
      throw mismatch('ERR_SHAPE', 'x', `a width that ${heads} heads divide`, `${width}`);
    }
    expectInt32(positions, 'positions', [rows]);
    const [fineRows, angles] = dims(float32(fine, 'fine'), 'fine', ['positions', '2·angles']);
    if (fixed(angles, 'fine') % 2 !== 0 || fixed(angles, 'fine') > size) {
      const expected = `an even number of columns, at most ${size}, the size of a head`;
      throw mismatch('ERR_SHAPE', 'fine', expected, `${angles}`);
    }
    const [coarseRows, others] = dims(float32(coarse, 'coarse'), 'coarse', [
      'positions',
      '2·angles',
    ]);
    if (others !== angles) {
      throw mismatch('ERR_SHAPE', 'coarse', `${angles} columns, as fine has`, `${others}`);
    }
    for (const [name, count] of Object.entries({ fine: fineRows, coarse: coarseRows })) {
      if (variants === 1 || fixed(count, name) % variants === 0) continue;
      throw mismatch('ERR_SHAPE', name, `rows that ${variants} variants divide`, `${count}`);
    }
    return { shape: [rows, width], dtype: 'float32' };
  },
  reference([x, positions, fine, coarse], { heads, variants }, { shape: [rows, width], data }) {
    const size = width / heads;
    const half = fine.shape[1] / 2;
    const period = fine.shape[0] / variants;
    const span = (period * coarse.shape[0]) / variants;
    const places = checkIndices(positions, period * coarse.shape[0], 'positions');
    data.set(x.data);
    for (let row = 0; row < rows; row++) {
      const variant = Math.floor(places[row] / span);
      const f = ((places[row] % period) + variant * period) * 2 * half;
      const c = Math.floor(places[row] / period) * 2 * half;
      for (let i = 0; i < half; i++) {
        const [fineCos, fineSin] = [fine.data[f + i], fine.data[f + half + i]];
        const [coarseCos, coarseSin] = [coarse.data[c + i], coarse.data[c + half + i]];
        const cosine = coarseCos * fineCos - coarseSin * fineSin;
        const sine = coarseSin * fineCos + coarseCos * fineSin;
        for (let a = row * width + i; a < (row + 1) * width; a += size) {
          const b = a + half;
          data[a] = x.data[a] * cosine - x.data[b] * sine;
          data[b] = x.data[b] * cosine + x.data[a] * sine;
        }
      }
    }
  },
  lower: ({ heads, variants }) => ({ kernel: 'rope', ints: [heads, variants], floats: [] }),
  cost: ([x, positions, fine], { heads }, output) => ({
    flops: output.shape[0] * fine.shape[1] * (3 * heads + 3),
    bytes: bytesOf(x) + bytesOf(positions) + bytesOf(output),
  }),
  gradient({ operands, attributes, gradient, wants }) {
    if (!wants(0)) return [];
    const [, positions, fine, coarse] = operands as [Tensor, Tensor, Tensor, Tensor];
    // Turning by the opposite angles, whose sines are the opposite ones, is the transpose.
    const columns = fixed(fine.shape[1] ?? 0, 'fine');
    const signs = tensor(
      Float32Array.from({ length: columns }, (_, i) => (i < columns / 2 ? 1 : -1)),
    );
    const tables = [multiply(fine, signs), multiply(coarse, signs)];
    return [record(rule, [gradient, positions, ...tables], attributes)];
  },
});

/**
 * Rotary position embedding (Su et al. 2021) of each head of x, float32 [rows, heads·size], at positions int32 [rows], a
 * run-time input: component i turns with component i + m by the angle p·θᵢ, for the m angles of the tables; components from
 * 2·m on stay. Position p = F·c + f takes the sum of two angles, row f of `fine` [F, 2·m] and row c of `coarse` [C, 2·m], so
 * that small tables are exact at large positions. A position from F·C on is ERR_INPUT. Position p of variant v, where the
 * tables hold several, is written p + v·F·C. @returns float32 [rows, heads·size].
 */
export function rope(
  x: Tensor,
  positions: Tensor,
  options: { heads: number; tables: RotaryTables },
): Tensor {
  checkOptions('rope', options, ['heads', 'tables']);
  const { heads, tables } = options;
  checkSizes('rope', { heads });
  checkOptions('rope: tables', tables, ['fine', 'coarse', 'variants']);
  const { fine, coarse, variants = 1 } = tables;
  checkSizes('rope', { variants });
  return record(rule, [x, positions, fine, coarse], { heads, variants });
}
