import { mismatch } from '../errors.js';
import { checkFloat, checkOptions } from '../graph/options.js';
import { bytesOf, type ReferenceTensor, registerOp } from '../graph/rules.js';
import { expectTensor, record, sourceNode, type Tensor } from '../graph/tensor.js';
import type { Compute } from './gemm.js';
import { linearCrossEntropy } from './linear_cross_entropy.js';
import { checkIndices, dims, expectFloat32, expectInt32, fixed, float32 } from './operands.js';

type Smoothing = { smoothing: number };

/** Calls `use` with each row's logits, its label and log Σ e^logit, in float64. */
function eachRow(
  logits: ReferenceTensor,
  labels: ReferenceTensor,
  use: (row: number, values: Float64Array, label: number, logSum: number) => void,
): void {
  const classes = logits.shape[1] ?? 0;
  checkIndices(labels, classes, 'labels').forEach((label, row) => {
    const values = (logits.data as Float64Array).subarray(row * classes, (row + 1) * classes);
    const greatest = values.reduce((most, value) => Math.max(most, value), -Infinity);
    const sum = values.reduce((total, value) => total + Math.exp(value - greatest), 0);
    use(row, values, label, greatest + Math.log(sum));
  });
}

const gradientRule = registerOp<Smoothing>({
  name: 'crossEntropyGradient',
  operands: ['logits', 'labels', 'gradient'],
  infer([logits, labels, gradient]) {
    const [rows, classes] = dims(float32(logits, 'logits'), 'logits', ['rows', 'classes']);
    expectInt32(labels, 'labels', [rows]);
    expectFloat32(gradient, 'gradient', [rows, 1]);
    return { shape: [rows, classes], dtype: 'float32' };
  },
  reference([logits, labels, gradient], { smoothing }, { shape, data }) {
    const classes = shape[1];
    eachRow(logits, labels, (row, values, label, logSum) => {
      values.forEach((value, i) => {
        const wanted = smoothing / classes + (i === label ? 1 - smoothing : 0);
        data[row * classes + i] = (Math.exp(value - logSum) - wanted) * gradient.data[row];
      });
    });
  },
  lower: ({ smoothing }) => ({ kernel: 'crossEntropyGradient', ints: [], floats: [smoothing] }),
  cost: ([logits, labels, gradient], _, output) => ({
    flops: output.shape.reduce((product, dim) => product * dim, 24),
    bytes: bytesOf(logits) + bytesOf(labels) + bytesOf(gradient) + bytesOf(output),
  }),
});

const rule = registerOp<Smoothing>({
  name: 'crossEntropy',
  operands: ['logits', 'labels'],
  infer([logits, labels], { smoothing }) {
    checkFloat('smoothing', smoothing, 0);
    if (smoothing > 1) throw mismatch('ERR_ARGUMENT', 'smoothing', 'at most 1', `${smoothing}`);
    const [rows, classes] = dims(float32(logits, 'logits'), 'logits', ['rows', 'classes']);
    fixed(classes, 'logits');
    expectInt32(labels, 'labels', [rows]);
    return { shape: [rows, 1], dtype: 'float32' };
  },
  reference([logits, labels], { smoothing }, { data }) {
    eachRow(logits, labels, (row, values, label, logSum) => {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      data[row] = logSum - (1 - smoothing) * values[label] - smoothing * mean;
    });
  },
  lower: ({ smoothing }) => ({ kernel: 'crossEntropy', ints: [], floats: [smoothing] }),
  cost: ([logits, labels], _, output) => ({
    flops: 14 * (logits.shape[0] ?? 0) * (logits.shape[1] ?? 0),
    bytes: bytesOf(logits) + bytesOf(labels) + bytesOf(output),
  }),
  gradient: ({ operands: [logits, labels], attributes, gradient }) => [
    record(gradientRule, [logits, labels, gradient], attributes),
  ],
});

/** From so many classes on, logits are not kept: below, they are small beside what else a step keeps. */
const manyClasses = 4096;

/** What logits are the product of, where they need not exist whole. */
function projectionOf(logits: Tensor) {
  const node = sourceNode(logits);
  if (node?.op !== 'linear' || Number(logits.shape[1]) < manyClasses) return undefined;
  const [x, weight, bias, residual] = node.operands;
  if (!x || weight?.dtype !== 'float32' || residual) return undefined;
  const { activation, compute } = node.attributes;
  return activation === 'none' ? { x, weight, bias, compute: compute as Compute } : undefined;
}

/**
 * −Σ_i t_i·log softmax(logits)_i of each row, where the target t is 1 at the label, or with smoothing ε, (1 − ε) there and
 * ε / classes everywhere (Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4). logits: float32 [rows, classes];
 * labels: int32 [rows], a run-time input; one outside the classes is ERR_INPUT. @returns float32 [rows, 1].
 *
 * Of the logits of a `linear` to many classes, this is `linearCrossEntropy`: they are computed only if something else wants
 * them, and the loss has no gradient by them.
 */
export function crossEntropy(
  logits: Tensor,
  labels: Tensor,
  options: { smoothing?: number } = {},
): Tensor {
  checkOptions('crossEntropy', options, ['smoothing']);
  const { smoothing = 0 } = options;
  expectTensor(logits, 'crossEntropy: logits');
  const projection = projectionOf(logits);
  if (projection) {
    const { x, weight, bias, compute } = projection;
    return linearCrossEntropy(x, weight, labels, { bias, smoothing, compute });
  }
  return record(rule, [logits, labels], { smoothing });
}
