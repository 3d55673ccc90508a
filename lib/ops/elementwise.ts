import { mismatch } from '../errors.js';
import { checkFloat } from '../graph/options.js';
import {
  bytesOf,
  type CostOperand,
  type GradientCall,
  type Operand,
  type OpRule,
  registerOp,
} from '../graph/rules.js';
import { formatShape, sameShape } from '../graph/shape.js';
import { record, type Tensor } from '../graph/tensor.js';
import { columnSums } from './column_sums.js';
import { float32 } from './operands.js';

const elements = (operand: CostOperand): number =>
  operand.shape.reduce((product, dim) => product * dim, 1);

function binary(
  name: 'add' | 'multiply',
  combine: (a: number, b: number) => number,
  gradient: (call: GradientCall<Record<string, never>>) => readonly (Tensor | undefined)[],
): OpRule<Record<string, never>> {
  return registerOp({
    name,
    operands: ['a', 'b'],
    infer([a, b]) {
      const { shape } = float32(a, 'a');
      const other = float32(b, 'b').shape;
      const broadcasts = other.length === 1 && other[0] === shape.at(-1);
      if (!sameShape(shape, other) && !broadcasts) {
        const expected = `shape ${formatShape(shape)} or [${shape.at(-1) ?? ''}]`;
        throw mismatch('ERR_SHAPE', 'b', expected, formatShape(other));
      }
      return { shape, dtype: 'float32' };
    },
    reference([a, b], _, { data }) {
      const period = b.data.length;
      a.data.forEach((value, i) => {
        data[i] = combine(value, b.data[i % period]);
      });
    },
    lower: () => ({ kernel: name, ints: [], floats: [] }),
    inPlace: 0,
    cost: ([a, b], _, output) => ({
      flops: elements(output),
      bytes: bytesOf(a) + bytesOf(b) + bytesOf(output),
    }),
    gradient,
  });
}

/** Whether b is a row that every row of a is combined with. */
const isRow = ([a, b]: readonly (Tensor | undefined)[]): boolean =>
  a?.shape.length !== b?.shape.length;

const addRule = binary(
  'add',
  (a, b) => a + b,
  ({ operands, gradient, wants }) => [
    gradient,
    wants(1) && isRow(operands) ? columnSums(gradient) : gradient,
  ],
);
const multiplyRule = binary(
  'multiply',
  (a, b) => a * b,
  ({ operands, gradient, wants }) => {
    const [a, b] = operands as [Tensor, Tensor];
    const byRow = isRow(operands) ? columnSums : multiply;
    return [
      wants(0) ? multiply(gradient, b) : undefined,
      wants(1) ? byRow(gradient, a) : undefined,
    ];
  },
);

/** a + b, float32. b: the shape of a, or [columns] added to every row. */
export const add = (a: Tensor, b: Tensor): Tensor => record(addRule, [a, b], {});

/** a·b element by element, float32. b: the shape of a, or [columns]. */
export const multiply = (a: Tensor, b: Tensor): Tensor => record(multiplyRule, [a, b], {});

const scaleRule = registerOp<{ scale: number; shift: number }>({
  name: 'scale',
  operands: ['x'],
  infer([x], { scale, shift }): Operand {
    checkFloat('factor', scale);
    checkFloat('shift', shift);
    return { shape: float32(x, 'x').shape, dtype: 'float32' };
  },
  reference([x], { scale, shift }, { data }) {
    x.data.forEach((value, i) => {
      data[i] = value * scale + shift;
    });
  },
  lower: ({ scale, shift }) => ({ kernel: 'scale', ints: [], floats: [scale, shift] }),
  inPlace: 0,
  cost: ([x], _, output) => ({ flops: 2 * elements(output), bytes: bytesOf(x) + bytesOf(output) }),
  gradient: ({ attributes, gradient }) => [scale(gradient, attributes.scale)],
});

/** x·factor + shift. */
export const scale = (x: Tensor, factor: number, shift = 0): Tensor =>
  record(scaleRule, [x], { scale: factor, shift });
