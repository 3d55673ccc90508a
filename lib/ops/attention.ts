import { mismatch } from '../errors.js';
import { bytesOf, type CostOperand, registerOp } from '../graph/rules.js';
import type { Dim } from '../graph/shape.js';
import { record, type Tensor } from '../graph/tensor.js';
import { dropoutOperands, keptWeights, lowerDropped } from './attention_dropout.js';
import { attentionGradient } from './attention_gradient.js';
import {
  type AttentionAttributes,
  type AttentionOptions,
  checkScores,
  countPairs,
  eachRowOfWeights,
  lowerAttributes,
  relativeOperands,
  scoreOperands,
  scores,
} from './attention_scores.js';
import { checkOffsets, dims, fixed, float32, offsets } from './operands.js';

/** How many of the two terms of disentangled attention there are; each multiplies a vector by pair. */
const termsOf = ([keys, queries]: readonly (CostOperand | undefined)[]): number =>
  (keys ? 1 : 0) + (queries ? 1 : 0);

const attentionRule = registerOp<AttentionAttributes>({
  name: 'attention',
  operands: [...scoreOperands, 'v', ...relativeOperands, ...dropoutOperands],
  infer(operands, attributes) {
    const { rows, keyRows } = checkScores(operands, attributes);
    const [valueRows, width] = dims(float32(operands[7], 'v'), 'v', ['rows', 'key heads·size']);
    if (valueRows !== keyRows) throw mismatch('ERR_SHAPE', 'v', `${keyRows} rows`, `${valueRows}`);
    const size = fixed(width, 'v') / attributes.keyHeads;
    if (!Number.isInteger(size) || size === 0) {
      throw mismatch(
        'ERR_SHAPE',
        'v',
        `a width that ${attributes.keyHeads} heads divide`,
        `${width}`,
      );
    }
    return { shape: [rows, size * attributes.heads], dtype: 'float32' };
  },
  // Of each row and head the greatest score m and 1 / Σ e^(score − m), 0 and 0 where no key is visible: with them, a gradient
  // makes any weight again from its score alone.
  further: [
    {
      name: 'statistics',
      infer([q], { heads }) {
        return { shape: [float32(q, 'q').shape[0], 2 * heads], dtype: 'float32' };
      },
    },
  ],
  reference(operands, attributes, { data }, [statistics]) {
    const v = operands[7];
    const { heads, keyHeads } = attributes;
    const size = v.shape[1] / keyHeads;
    const kept = keptWeights(operands, attributes);
    eachRowOfWeights(operands, attributes, (head, _, row, firstKey, weights, greatest, sum) => {
      if (sum !== 0) statistics?.data.set([greatest, 1 / sum], 2 * (row * heads + head));
      const column = Math.floor(head / (heads / keyHeads)) * size;
      const used = weights.map((weight, key) => (weight === 0 ? 0 : weight * kept(row, head, key)));
      for (let i = 0; i < size; i++) {
        let sum = 0;
        used.forEach((weight, key) => {
          if (weight !== 0) sum += weight * v.data[(firstKey + key) * keyHeads * size + column + i];
        });
        data[row * heads * size + head * size + i] = sum;
      }
    });
  },
  lower: (attributes) => ({
    kernel: 'attention',
    operands: [0, 1, 7, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12],
    ...lowerDropped(lowerAttributes(attributes), attributes),
  }),
  cost(operands, { heads, left, right }, output) {
    const [q, k, , , , , bias, v, keys, queries] = operands;
    const relative = [keys, queries];
    const count = countPairs(operands, { left, right });
    const widths = q.shape[1] * (1 + termsOf(relative)) + output.shape[1];
    const read = [q, k, v, bias, ...relative, output];
    return {
      flops: count * (2 * widths + 12 * heads),
      bytes: read.reduce((sum, operand) => sum + bytesOf(operand), 0),
    };
  },
  gradient: attentionGradient,
});

/**
 * Scaled dot-product attention over packed sequences, softmax(scale·q·kᵀ + bias)·v for each head (Vaswani et al. 2017,
 * section 3.2), without ever holding the scores. q: float32 [rows, heads·size]; k: [keyRows, keyHeads·size]; v: [keyRows,
 * keyHeads·valueSize]. A query sees the keys of its own segment only; one that sees none gives zeros.
 * @returns float32 [rows, heads·valueSize].
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
  const { operands, relative, dropout, attributes } = scores(q, k, options);
  return record(attentionRule, [...operands, v, ...relative, ...dropout], attributes);
}

const weightsRule = registerOp<AttentionAttributes & { pairs: Dim }>({
  name: 'attentionWeights',
  operands: [...scoreOperands, 'pairOffsets', ...relativeOperands],
  infer(operands, attributes) {
    checkScores(operands, attributes);
    const pairOffsets = offsets(operands[7], 'pairOffsets');
    if (pairOffsets !== offsets(operands[2], 'segments')) {
      throw mismatch('ERR_SHAPE', 'pairOffsets', 'one offset more than segments', `${pairOffsets}`);
    }
    return { shape: [attributes.heads, attributes.pairs], dtype: 'float32' };
  },
  reference(operands, attributes, { shape, data }) {
    const segments = operands[2];
    const pairOffsets = operands[7];
    const total = shape[1];
    checkOffsets(pairOffsets, total, 'pairOffsets');
    eachRowOfWeights(operands, attributes, (head, segment, row, _, weights) => {
      const first = pairOffsets.data[segment] + head * total;
      data.set(weights, first + (row - segments.data[segment]) * weights.length);
    });
  },
  lower: (attributes) => ({ kernel: 'attentionWeights', ...lowerAttributes(attributes) }),
  cost(operands, { heads, left, right }, output) {
    const [q, k, , , , , bias, , ...relative] = operands;
    const count = countPairs(operands, { left, right });
    const read = [q, k, bias, ...relative, output];
    return {
      flops: count * (2 * q.shape[1] * (1 + termsOf(relative)) + 12 * heads),
      bytes: read.reduce((sum, operand) => sum + bytesOf(operand), 0),
    };
  },
});

/**
 * The weights of `attention`, for looking at: float32 [heads, pairs], where segment s holds its [queries, keys] matrix from
 * column pairOffsets[s] on. pairOffsets: int32 [segments + 1]; `pairs`: their last.
 */
export function attentionWeights(
  q: Tensor,
  k: Tensor,
  pairOffsets: Tensor,
  pairs: Dim,
  options: AttentionOptions,
): Tensor {
  const { operands, relative, attributes } = scores(q, k, { ...options, dropout: undefined });
  return record(weightsRule, [...operands, pairOffsets, ...relative], { ...attributes, pairs });
}
