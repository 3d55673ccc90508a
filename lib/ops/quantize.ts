import { roundRowsToInt8Blocks } from '../graph/int4.js';
import { roundRowsToInt8 } from '../graph/int8.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import type { NativeDType } from '../native.js';
import { dims, fixed, float32 } from './operands.js';

/** An op that rounds rows, once for each tensor: however many weights it is multiplied with. */
function quantizer(
  name: string,
  dtype: NativeDType,
  round: (values: Float64Array, columns: number) => Float64Array,
): (x: Tensor) => Tensor {
  const rule = registerOp<Record<string, never>>({
    name,
    operands: ['x'],
    infer([x]) {
      const [rows, columns] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
      return { shape: [rows, fixed(columns, 'x')], dtype };
    },
    reference([x], _, { data }) {
      data.set(round(Float64Array.from(x.data), x.shape[1]));
    },
    lower: () => ({ kernel: name, ints: [], floats: [] }),
    cost: ([x], _, output) => ({
      flops: 3 * output.shape[0] * output.shape[1],
      bytes: bytesOf(x) + bytesOf(output),
    }),
    // Straight through (Bengio et al. 2013, section 4): rounding has a slope of 0 wherever it has one.
    gradient: ({ gradient }) => [gradient],
  });
  const known = new WeakMap<Tensor, Tensor>();
  return (x) => {
    let quantized = known.get(x);
    if (!quantized) {
      quantized = record(rule, [x], {});
      known.set(x, quantized);
    }
    return quantized;
  };
}

/** x, float32 [rows, columns], as rows of int8 with a scale each: what `linear` multiplies int8 weights with. */
export const quantizeRows = quantizer('quantizeRows', 'int8', roundRowsToInt8);

/** The same as int8 in blocks of 32 of a row, each with a scale: what `linear` multiplies int4 weights with. */
export const quantizeBlocks = quantizer('quantizeBlocks', 'int8Blocks', roundRowsToInt8Blocks);
