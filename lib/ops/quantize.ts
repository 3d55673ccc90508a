import { roundRowsToInt8 } from '../graph/int8.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import { dims, fixed, float32 } from './operands.js';

const rule = registerOp<Record<string, never>>({
  name: 'quantizeRows',
  operands: ['x'],
  infer([x]) {
    const [rows, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    return { shape: [rows, fixed(columns, 'x')], dtype: 'int8' };
  },
  reference([x], _, { data }) {
    data.set(roundRowsToInt8(Float64Array.from(x.data), x.shape[1]));
  },
  lower: () => ({ kernel: 'quantizeRows', ints: [], floats: [] }),
  cost: ([x], _, output) => ({
    flops: 3 * output.shape[0] * output.shape[1],
    bytes: bytesOf(x) + bytesOf(output),
  }),
  // Straight through (Bengio et al. 2013, section 4): rounding has a slope of 0 wherever it has one.
  gradient: ({ gradient }) => [gradient],
});

const known = new WeakMap<Tensor, Tensor>();

/**
 * x, float32 [rows, columns], as rows of int8 with a scale each: what `linear` multiplies int8 weights with. The same
 * tensor is quantised once, however many weights it is multiplied with.
 */
export function quantizeRows(x: Tensor): Tensor {
  let quantized = known.get(x);
  if (!quantized) {
    quantized = record(rule, [x], {});
    known.set(x, quantized);
  }
  return quantized;
}
