import { mismatch } from '../errors.js';
import { roundToBfloat16 } from '../graph/half_precision.js';
import { checkChoice, checkOptions } from '../graph/options.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import { expectTensor, record, type Tensor, tensor } from '../graph/tensor.js';
import { type Activation, activate, activations } from './activation.js';
import { columnSums } from './column_sums.js';
import { add } from './elementwise.js';
import { embedding } from './embedding.js';
import { dims, expectFloat32, fixed, float32, matrix, rowsFor } from './operands.js';
import { quantizeBlocks, quantizeRows } from './quantize.js';

/** `bfloat16`: both factors are rounded to bfloat16 before they are multiplied. Sums are float32 in both. */
export type Compute = (typeof computes)[number];
export const computes = ['float32', 'bfloat16'] as const;

/** @param plain the weight is multiplied as it lies in memory, not packed; only the native backend says so. */
type LinearAttributes = { activation: Activation; compute: Compute; plain?: boolean };

const linearRule = registerOp<LinearAttributes>({
  name: 'linear',
  operands: ['x', 'weight', 'bias?', 'residual?'],
  infer([x, weight, bias, residual]) {
    const [rows, k] = dims(rowsFor(weight?.dtype, x, 'x'), 'x', ['rows', 'in']);
    const [n, inWidth] = dims(matrix(weight, 'weight'), 'weight', ['out', 'in']);
    if (k !== inWidth) throw mismatch('ERR_SHAPE', 'x', `${inWidth} columns`, `${k}`);
    expectFloat32(bias, 'bias', [n]);
    expectFloat32(residual, 'residual', [rows, n]);
    return { shape: [rows, fixed(n, 'weight')], dtype: 'float32' };
  },
  reference([x, weight, bias, residual], { activation, compute }, { shape, data }) {
    const [rows, n] = shape;
    const k = x.shape[1];
    const [input, matrix] = [x.data, weight.data].map((data) => rounded(data, compute)) as [
      Float64Array,
      Float64Array,
    ];
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < n; column++) {
        let sum = bias?.data[column] ?? 0;
        for (let i = 0; i < k; i++) {
          sum += input[row * k + i] * matrix[column * k + i];
        }
        const at = row * n + column;
        data[at] = activate(activation, sum) + (residual?.data[at] ?? 0);
      }
    }
  },
  lower({ activation, compute, plain }, [x, weight]) {
    const kind = activations.indexOf(activation);
    const rounds = Number(compute === 'bfloat16');
    // A float32 weight whose products are of bfloat16 is the master of one that is trained, and is rounded as it is read.
    if (plain || (rounds && weight?.dtype === 'float32'))
      return { kernel: 'matmul', ints: [0, 1, kind, rounds], floats: [] };
    if (x?.dtype === 'int8') return { kernel: 'linearInt8', ints: [kind], floats: [] };
    if (x?.dtype === 'int8Blocks') return { kernel: 'linearInt4', ints: [kind], floats: [] };
    return { kernel: 'linear', ints: [kind, rounds], floats: [] };
  },
  cost: ([x, weight, bias, residual], _, output) => ({
    flops: 2 * output.shape[0] * weight.shape[0] * weight.shape[1],
    bytes: [x, weight, bias, residual, output].reduce((sum, operand) => sum + bytesOf(operand), 0),
  }),
  gradient({ operands: [x, weight], attributes, gradient, wants }) {
    // Activation and residual are only fused in after the graph was differentiated.
    if (attributes.activation !== 'none') return [];
    if (!x || !weight) return [];
    // Through stored weights of half precision the rounding of x counts as the identity.
    const compute = weight.dtype === 'float32' ? attributes.compute : 'float32';
    return [
      wants(0) ? matmul(gradient, widened(weight), { compute }) : undefined,
      wants(1) ? matmul(gradient, x, { transposeA: true, compute }) : undefined,
      wants(2) ? columnSums(gradient) : undefined,
      gradient,
    ];
  },
});

/** A weight that is stored in half precision or as int8, as float32: all rows of a table. */
export function widened(weight: Tensor): Tensor {
  if (weight.dtype === 'float32') return weight;
  const rows = fixed(weight.shape[0] ?? 0, 'weight');
  return embedding(weight, tensor(Int32Array.from({ length: rows }, (_, row) => row)));
}

/**
 * y = x·Wᵀ + bias. x: float32 [rows, in]; weight: [out, in], float32, float16, bfloat16, int8 or int4; bias: float32 [out].
 * A weight that is a state is packed once; one that is computed or given with the graph is multiplied as it is. With an
 * int8 weight, the rows of x are int8 too (`quantizeRows`), and sums are exact; with an int4 weight, they are int8 in blocks of
 * 32 (`quantizeBlocks`), and sums are exact within a block. The gradient by x takes stored weights for what they stand for, and
 * rounding of x for the identity: so frozen ones can be trained through (Hu et al. 2022, "LoRA").
 */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  options: { compute?: Compute } = {},
): Tensor {
  checkOptions('linear', options, ['compute']);
  const { compute = 'float32' } = options;
  checkChoice('linear: compute', compute, computes);
  expectTensor(weight, 'linear: weight');
  if (weight.source.kind === 'state') {
    const rows =
      weight.dtype === 'int8' ? quantizeRows(x) : weight.dtype === 'int4' ? quantizeBlocks(x) : x;
    return record(linearRule, [rows, weight, bias], { activation: 'none', compute });
  }
  const product = matmul(x, weight, { transposeB: true, compute });
  return bias ? add(product, bias) : product;
}

/** What a product multiplies of an operand. */
const rounded = (data: Float64Array | Int32Array, compute: Compute): Float64Array | Int32Array =>
  compute === 'bfloat16' ? data.map(roundToBfloat16) : data;

type MatmulAttributes = { transposeA: boolean; transposeB: boolean; compute: Compute };

const matmulRule = registerOp<MatmulAttributes>({
  name: 'matmul',
  operands: ['a', 'b'],
  infer([a, b], { transposeA, transposeB }) {
    const [a0, a1] = dims(float32(a, 'a'), 'a', ['rows', 'inner']);
    const [b0, b1] = dims(float32(b, 'b'), 'b', ['inner', 'columns']);
    const [m, k] = transposeA ? [a1, a0] : [a0, a1];
    const [inner, n] = transposeB ? [b1, b0] : [b0, b1];
    if (k !== inner)
      throw mismatch('ERR_SHAPE', 'a·b', `inner sizes that agree`, `${k} and ${inner}`);
    return { shape: [m, n], dtype: 'float32' };
  },
  reference([a, b], { transposeA, transposeB, compute }, { shape, data }) {
    const [m, n] = shape;
    const k = a.shape[transposeA ? 0 : 1];
    const [left, right] = [rounded(a.data, compute), rounded(b.data, compute)];
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let sum = 0;
        for (let i = 0; i < k; i++) {
          sum +=
            left[transposeA ? i * m + row : row * k + i] *
            right[transposeB ? column * k + i : i * n + column];
        }
        data[row * n + column] = sum;
      }
    }
  },
  lower: ({ transposeA, transposeB, compute }) => ({
    kernel: 'matmul',
    operands: [0, 1, 2, 3],
    ints: [Number(transposeA), Number(transposeB), 0, Number(compute === 'bfloat16')],
    floats: [],
  }),
  cost: ([a, b], { transposeA }, output) => ({
    flops: 2 * output.shape[0] * output.shape[1] * a.shape[transposeA ? 0 : 1],
    bytes: bytesOf(a) + bytesOf(b) + bytesOf(output),
  }),
  gradient({ operands, attributes: { transposeA, transposeB, compute }, gradient, wants }) {
    const [a, b] = operands as [Tensor, Tensor];
    const byA = (): Tensor =>
      transposeA
        ? matmul(b, gradient, { transposeA: transposeB, transposeB: true, compute })
        : matmul(gradient, b, { transposeB: !transposeB, compute });
    const byB = (): Tensor =>
      transposeB
        ? matmul(gradient, a, { transposeA: true, transposeB: transposeA, compute })
        : matmul(a, gradient, { transposeA: !transposeA, compute });
    return [wants(0) ? byA() : undefined, wants(1) ? byB() : undefined];
  },
});

/** a·b, float32 [m, k] and [k, n]; either may be given transposed. The gradient multiplies as `compute` says, too. */
export function matmul(a: Tensor, b: Tensor, options: Partial<MatmulAttributes> = {}): Tensor {
  checkOptions('matmul', options, ['transposeA', 'transposeB', 'compute']);
  const { transposeA = false, transposeB = false, compute = 'float32' } = options;
  checkChoice('matmul: compute', compute, computes);
  return record(matmulRule, [a, b], { transposeA, transposeB, compute });
}
