/**
 * The cross-entropy of logits that never exist whole (the idea is that of Wijmans et al. 2024, "Cut Your Losses in
 * Large-Vocabulary Language Models"): forward and backward go by blocks of classes, and the gradient multiplies each block of
 * logits again, but the last. Sums of a row go on from block to block, as in the online softmax of Milakov & Gimelshein 2018.
 */
import { mismatch } from '../errors.js';
import { checkFloat, checkOptions, checkSizes } from '../graph/options.js';
import { bytesOf, type CostOperand, type Operand, registerOp } from '../graph/rules.js';
import { record, sourceNode, type Tensor } from '../graph/tensor.js';
import { columnSums } from './column_sums.js';
import { add } from './elementwise.js';
import { type Compute, matmul } from './gemm.js';
import { checkIndices, dims, expectFloat32, expectInt32, fixed, float32 } from './operands.js';
import { joinRows, rowRange } from './row_range.js';

/** What is kept of a row: the greatest logit, Σ e^(logit − greatest), the label's logit, Σ logit. */
const partSize = 4;

type First = { first: number };

const cost =
  (flops: number) =>
  (operands: readonly (CostOperand | undefined)[], _: unknown, out: CostOperand) => {
    const [logits] = operands;
    return {
      flops: flops * (logits?.shape[0] ?? 0) * (logits?.shape[1] ?? 0),
      bytes: bytesOf(logits) + bytesOf(out),
    };
  };

/** Shapes of [logits, labels, weight, bias?] of the classes from `first` on. */
function checkBlock(
  [logits, labels, weight, bias]: readonly (Operand | undefined)[],
  first: number,
) {
  const [rows, columns] = dims(float32(logits, 'logits'), 'logits', ['rows', 'classes']);
  const classes = fixed(dims(float32(weight, 'weight'), 'weight', ['classes', 'in'])[0], 'weight');
  if (first + fixed(columns, 'logits') > classes) {
    throw mismatch('ERR_SHAPE', 'logits', `classes inside ${classes}`, `${columns} from ${first}`);
  }
  expectInt32(labels, 'labels', [rows]);
  expectFloat32(bias, 'bias', [classes]);
  return { rows, columns };
}

const partRule = registerOp<First>({
  name: 'crossEntropyPart',
  operands: ['logits', 'labels', 'weight', 'bias?', 'before?'],
  infer(operands, { first }) {
    const { rows } = checkBlock(operands, first);
    expectFloat32(operands[4], 'before', [rows, partSize]);
    return { shape: [rows, partSize], dtype: 'float32' };
  },
  reference([logits, labels, weight, bias, before], { first }, { data }) {
    const count = logits.shape[1];
    checkIndices(labels, weight.shape[0], 'labels').forEach((label, row) => {
      const old = before?.data.subarray(row * partSize) ?? [-Infinity, 0, 0, 0];
      const values = Float64Array.from(
        logits.data.subarray(row * count, (row + 1) * count),
        (value, i) => value + (bias?.data[first + i] ?? 0),
      );
      const greatest = values.reduce((most, value) => Math.max(most, value), old[0] as number);
      let [sum, all] = [
        (old[1] as number) * Math.exp((old[0] as number) - greatest),
        old[3] as number,
      ];
      for (const value of values) {
        sum += Math.exp(value - greatest);
        all += value;
      }
      data.set(
        [greatest, sum, (old[2] as number) + (values[label - first] ?? 0), all],
        row * partSize,
      );
    });
  },
  lower: ({ first }) => ({ kernel: 'crossEntropyPart', ints: [first], floats: [] }),
  cost: cost(12),
});

const partGradientRule = registerOp<First & { smoothing: number }>({
  name: 'crossEntropyPartGradient',
  operands: ['logits', 'labels', 'weight', 'bias?', 'parts', 'gradient'],
  infer(operands, { first }) {
    const { rows, columns } = checkBlock(operands, first);
    expectFloat32(operands[4], 'parts', [rows, partSize]);
    expectFloat32(operands[5], 'gradient', [rows, 1]);
    return { shape: [rows, columns], dtype: 'float32' };
  },
  reference(
    [logits, labels, weight, bias, parts, gradient],
    { first, smoothing },
    { shape, data },
  ) {
    const [classes, count] = [weight.shape[0], shape[1]];
    checkIndices(labels, classes, 'labels').forEach((label, row) => {
      const [greatest, sum] = parts.data.subarray(row * partSize);
      for (let i = 0; i < count; i++) {
        const at = row * count + i;
        const value = logits.data[at] + (bias?.data[first + i] ?? 0);
        const wanted = smoothing / classes + (first + i === label ? 1 - smoothing : 0);
        data[at] = (Math.exp(value - greatest) / sum - wanted) * gradient.data[row];
      }
    });
  },
  lower: ({ first, smoothing }) => ({
    kernel: 'crossEntropyPartGradient',
    ints: [first],
    floats: [smoothing],
  }),
  inPlace: 0,
  cost: cost(10),
});

type Attributes = { classes: number; smoothing: number; block: number; compute: Compute };

/** The blocks of classes, one after the other. */
const blocksOf = ({ classes, block }: Attributes): { first: number; count: number }[] =>
  Array.from({ length: Math.ceil(classes / block) }, (_, i) => ({
    first: i * block,
    count: Math.min(block, classes - i * block),
  }));

const rule = registerOp<Attributes>({
  name: 'crossEntropyOfParts',
  operands: ['parts', 'x', 'weight', 'labels', 'bias?'],
  // Made of x, weight and bias, which the gradient goes to without it.
  constants: [0],
  infer([parts], { smoothing }) {
    checkFloat('smoothing', smoothing, 0);
    if (smoothing > 1) throw mismatch('ERR_ARGUMENT', 'smoothing', 'at most 1', `${smoothing}`);
    const [rows] = dims(float32(parts, 'parts'), 'parts', ['rows', '4']);
    return { shape: [rows, 1], dtype: 'float32' };
  },
  reference([parts], { classes, smoothing }, { data }) {
    data.forEach((_, row) => {
      const [greatest, sum, label, all] = parts.data.subarray(row * partSize);
      data[row] = greatest + Math.log(sum) - (1 - smoothing) * label - (smoothing * all) / classes;
    });
  },
  lower: ({ classes, smoothing }) => ({
    kernel: 'crossEntropyOfParts',
    operands: [0],
    ints: [classes],
    floats: [smoothing],
  }),
  cost: (_, __, output) => ({ flops: 8 * (output.shape[0] ?? 0), bytes: 5 * bytesOf(output) }),
  gradient({ operands: [parts, x, weight, labels, bias], attributes, gradient, wants }) {
    if (!x || !weight) return [];
    const { smoothing, compute } = attributes;
    let byInput: Tensor | undefined;
    const byWeight: Tensor[] = [];
    const byBias: Tensor[] = [];
    // From the last block on, whose logits are still there where the loss is at the end of the way forward.
    let kept = parts && sourceNode(parts)?.operands[0];
    for (const range of blocksOf(attributes).reverse()) {
      const rows = rowRange(weight, range);
      const logits = kept ?? matmul(x, rows, { transposeB: true, compute });
      kept = undefined;
      const { first } = range;
      const operands = [logits, labels, weight, bias, parts, gradient];
      const slopes = record(partGradientRule, operands, { first, smoothing });
      if (wants(1)) {
        const part = matmul(slopes, rows, { compute });
        byInput = byInput ? add(byInput, part) : part;
      }
      if (wants(2)) byWeight.unshift(matmul(slopes, x, { transposeA: true, compute }));
      if (wants(4)) byBias.unshift(columnSums(slopes));
    }
    return [
      undefined,
      byInput,
      wants(2) ? joinRows(byWeight) : undefined,
      undefined,
      wants(4) ? joinRows(byBias) : undefined,
    ];
  },
});

/**
 * `crossEntropy` of the logits x·Wᵀ + bias, which are made and forgotten a block of classes at a time, and all but the last
 * made again for the gradient: up to a third more arithmetic than with the logits kept, and their memory saved. x: float32 [rows, in]; weight: float32
 * [classes, in]; labels: int32 [rows], a run-time input; bias: float32 [classes]. `smoothing` is as in `crossEntropy`;
 * `block`: classes at a time, default an eighth of them, at least 4096. @returns float32 [rows, 1].
 */
export function linearCrossEntropy(
  x: Tensor,
  weight: Tensor,
  labels: Tensor,
  options: {
    bias?: Tensor | undefined;
    smoothing?: number;
    block?: number;
    compute?: Compute | undefined;
  } = {},
): Tensor {
  checkOptions('linearCrossEntropy', options, ['bias', 'smoothing', 'block', 'compute']);
  const [wide] = dims(float32(weight, 'linearCrossEntropy: weight'), 'weight', ['classes', 'in']);
  const classes = fixed(wide, 'linearCrossEntropy: weight');
  const { bias, smoothing = 0, compute = 'float32' } = options;
  const { block = Math.max(4096, Math.ceil(classes / 8)) } = options;
  checkSizes('linearCrossEntropy', { block });
  const attributes = { classes, smoothing, block, compute };
  let parts: Tensor | undefined;
  for (const range of blocksOf(attributes)) {
    const logits = matmul(x, rowRange(weight, range), { transposeB: true, compute });
    const operands = [logits, labels, weight, bias, parts];
    parts = record(partRule, operands, { first: range.first });
  }
  return record(rule, [parts, x, weight, labels, bias], attributes);
}
