import { mismatch } from '../errors.js';
import { checkOptions, checkSizes } from '../graph/options.js';
import { bytesOf, registerOp, ruleOf } from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import { dims, expectFloat32, fixed, float32 } from './operands.js';

const rule = registerOp<{ groups: number }>({
  name: 'columnSums',
  operands: ['a', 'b?'],
  infer([a, b], { groups }) {
    const [rows, columns] = dims(float32(a, 'a'), 'a', ['rows', 'columns']);
    expectFloat32(b, 'b', [rows, columns]);
    const width = fixed(columns, 'a') / groups;
    if (!Number.isInteger(width)) {
      throw mismatch('ERR_SHAPE', 'a', `columns that ${groups} groups divide`, `${columns}`);
    }
    return { shape: [width], dtype: 'float32' };
  },
  reference([a, b], _, { data }) {
    a.data.forEach((value, i) => {
      data[i % data.length] += value * (b?.data[i] ?? 1);
    });
  },
  lower: ({ groups }) => ({ kernel: 'columnSums', ints: [groups], floats: [] }),
  cost: ([a, b], _, output) => ({
    flops: 2 * (a.shape[0] ?? 0) * (a.shape[1] ?? 0),
    bytes: bytesOf(a) + bytesOf(b) + bytesOf(output),
  }),
  gradient({ operands: [a, b], attributes: { groups }, gradient, wants }) {
    if (groups !== 1) return [];
    // Every row has the same gradient, times the other factor.
    const spread = (factor: Tensor): Tensor => record(ruleOf('multiply'), [factor, gradient], {});
    const ones = (): Tensor => record(ruleOf('scale'), [a], { scale: 0, shift: 1 });
    return [wants(0) ? spread(b ?? ones()) : undefined, wants(1) && a ? spread(a) : undefined];
  },
});

/**
 * Σ_r a[r, c], or Σ_r a[r, c]·b[r, c]: float32 [rows, columns] → [columns]. With `groups`, each of so many equal parts of a
 * row counts as a row: [columns / groups].
 */
export function columnSums(a: Tensor, b?: Tensor, options: { groups?: number } = {}): Tensor {
  checkOptions('columnSums', options, ['groups']);
  const { groups = 1 } = options;
  checkSizes('columnSums', { groups });
  return record(rule, [a, b], { groups });
}
