/**
 * The gradients of `attention` (Dao 2023, "FlashAttention-2", section 2.3.2). With weights P = softmax(S) and D the row sums
 * of gradient·output: ∂V = Pᵀ·gradient, ∂S = P∘(gradient·Vᵀ − D), ∂Q = scale·∂S·K, ∂K = scale·∂Sᵀ·Q. Scores are made
 * again, tile by tile, in each of the ops; none of them is ever held.
 */
import { HeddleError } from '../errors.js';
import {
  bytesOf,
  type CostOperand,
  type GradientCall,
  type Operand,
  type ReferenceTensor,
  registerOp,
} from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import {
  type AttentionAttributes,
  eachRowOfWeights,
  lowerAttributes,
  relativeOperands,
  scoreOperands,
} from './attention_scores.js';
import { columns } from './columns.js';
import { dims, expectFloat32, fixed, float32 } from './operands.js';

/** Those of `attention`, and after them two of the op's own. */
const operandsWith = (...own: readonly [string, string]): string[] => [
  ...scoreOperands,
  'v',
  ...relativeOperands,
  ...own,
];
const [queries, keys, values, first, second] = [0, 1, 7, 11, 12] as const;

const lower = (kernel: string) => (attributes: AttentionAttributes) => ({
  kernel,
  operands: [0, 1, 7, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12],
  ...lowerAttributes(attributes),
});

/** @param products how many products of queries with keys, or as large ones, there are. */
const cost =
  (products: number) =>
  (operands: readonly (CostOperand | undefined)[], _: AttentionAttributes, output: CostOperand) => {
    const [q, k, segments, keySegments] = operands;
    let pairs = (q?.shape[0] ?? 0) * (k?.shape[0] ?? 0);
    const [bounds, keyBounds] = [segments?.data, keySegments?.data];
    if (bounds && keyBounds) {
      pairs = 0;
      for (let i = 0; i + 1 < bounds.length; i++) {
        pairs += (bounds[i + 1] - bounds[i]) * (keyBounds[i + 1] - keyBounds[i]);
      }
    }
    return {
      flops: 2 * products * pairs * (q?.shape[1] ?? 0),
      bytes: [...operands, output].reduce((sum, operand) => sum + bytesOf(operand), 0),
    };
  };

const widthOf = (operand: Operand | undefined, name: string): number =>
  fixed(dims(float32(operand, name), name, ['rows', 'columns'])[1], name);

function checkGradient(
  operands: readonly (Operand | undefined)[],
  heads: number,
  keyHeads: number,
) {
  const [rows] = dims(float32(operands[queries], 'q'), 'q', ['rows', 'heads·size']);
  const width = (widthOf(operands[values], 'v') / keyHeads) * heads;
  expectFloat32(operands[second], 'gradient', [rows, width]);
  return { rows, width };
}

const statisticsRule = registerOp<AttentionAttributes>({
  name: 'attentionStatistics',
  operands: operandsWith('output', 'gradient'),
  infer(operands, { heads, keyHeads }) {
    const { rows, width } = checkGradient(operands, heads, keyHeads);
    expectFloat32(operands[first], 'output', [rows, width]);
    return { shape: [rows, 3 * heads], dtype: 'float32' };
  },
  reference(operands, attributes, { data }) {
    const { heads } = attributes;
    const [output, gradient] = [operands[first], operands[second]];
    const size = output.shape[1] / heads;
    eachRowOfWeights(operands, attributes, (head, _, row, __, ___, maximum, sum) => {
      let along = 0;
      for (let i = (row * heads + head) * size; i < (row * heads + head + 1) * size; i++) {
        along += output.data[i] * gradient.data[i];
      }
      const isBlind = sum === 0;
      data.set([isBlind ? 0 : maximum, isBlind ? 0 : 1 / sum, along], 3 * (row * heads + head));
    });
  },
  lower: lower('attentionStatistics'),
  cost: cost(1),
});

/** Calls `use` with what each visible pair adds: its weight, and ∂loss / ∂(scale·q·k). */
function eachPair(
  operands: readonly ReferenceTensor[],
  attributes: AttentionAttributes,
  use: (at: {
    /** Of the first component of the pair's query, key, gradient and value, among all of their numbers. */
    query: number;
    key: number;
    gradient: number;
    value: number;
    weight: number;
    slope: number;
  }) => void,
): void {
  const { heads, keyHeads, scale, softCap } = attributes;
  const [q, k, v] = [operands[queries], operands[keys], operands[values]];
  const [statistics, gradient] = [operands[first], operands[second]];
  const [size, valueSize] = [q.shape[1] / heads, v.shape[1] / keyHeads];
  eachRowOfWeights(operands, attributes, (head, _, row, firstKey, weights) => {
    const keyHead = Math.floor(head / (heads / keyHeads));
    const query = (row * heads + head) * size;
    const from = (row * heads + head) * valueSize;
    weights.forEach((weight, j) => {
      if (weight === 0) return;
      const key = ((firstKey + j) * keyHeads + keyHead) * size;
      const value = ((firstKey + j) * keyHeads + keyHead) * valueSize;
      let [along, score] = [0, 0];
      for (let i = 0; i < valueSize; i++) along += gradient.data[from + i] * v.data[value + i];
      for (let i = 0; i < size; i++) score += q.data[query + i] * k.data[key + i];
      const bend = softCap > 0 ? 1 - Math.tanh((scale * score) / softCap) ** 2 : 1;
      const slope = weight * (along - statistics.data[3 * (row * heads + head) + 2]) * bend;
      use({ query, key, gradient: from, value, weight, slope });
    });
  });
}

const queryRule = registerOp<AttentionAttributes>({
  name: 'attentionQueryGradient',
  operands: operandsWith('statistics', 'gradient'),
  infer(operands, { heads, keyHeads }) {
    const { rows } = checkGradient(operands, heads, keyHeads);
    expectFloat32(operands[first], 'statistics', [rows, 3 * heads]);
    return { shape: [rows, widthOf(operands[queries], 'q')], dtype: 'float32' };
  },
  reference(operands, attributes, { data }) {
    const k = operands[keys];
    const size = k.shape[1] / attributes.keyHeads;
    eachPair(operands, attributes, ({ query, key, slope }) => {
      for (let i = 0; i < size; i++) {
        data[query + i] += slope * attributes.scale * k.data[key + i];
      }
    });
  },
  lower: lower('attentionQueryGradient'),
  cost: cost(3),
});

const keyValueRule = registerOp<AttentionAttributes>({
  name: 'attentionKeyValueGradient',
  operands: operandsWith('statistics', 'gradient'),
  infer(operands, { heads, keyHeads }) {
    const { rows } = checkGradient(operands, heads, keyHeads);
    expectFloat32(operands[first], 'statistics', [rows, 3 * heads]);
    const [keyRows] = dims(float32(operands[keys], 'k'), 'k', ['rows', 'key heads·size']);
    const width = widthOf(operands[keys], 'k') + widthOf(operands[values], 'v');
    return { shape: [keyRows, width], dtype: 'float32' };
  },
  reference(operands, attributes, { shape, data }) {
    const [q, k, v] = [operands[queries], operands[keys], operands[values]];
    const gradient = operands[second];
    const { heads, keyHeads, scale } = attributes;
    const [size, valueSize] = [q.shape[1] / heads, v.shape[1] / keyHeads];
    const [keyWidth, valueWidth] = [k.shape[1], v.shape[1]];
    eachPair(operands, attributes, (pair) => {
      const row = Math.floor(pair.key / keyWidth) * shape[1];
      const key = row + (pair.key % keyWidth);
      const value = row + keyWidth + (pair.value % valueWidth);
      for (let i = 0; i < size; i++) data[key + i] += pair.slope * scale * q.data[pair.query + i];
      for (let i = 0; i < valueSize; i++) {
        data[value + i] += pair.weight * gradient.data[pair.gradient + i];
      }
    });
  },
  lower: lower('attentionKeyValueGradient'),
  cost: cost(4),
});

/** The gradient rule of `attention`. */
export function attentionGradient(call: GradientCall<AttentionAttributes>): (Tensor | undefined)[] {
  const { operands, attributes, result, gradient, wants } = call;
  if (attributes.bias === 'disentangled') {
    throw new HeddleError('ERR_UNSUPPORTED', 'gradient: attention: none with a disentangled bias');
  }
  const all = Array.from({ length: first }, (_, i) => operands[i]);
  const statistics = record(statisticsRule, [...all, result, gradient], attributes);
  const gradients: (Tensor | undefined)[] = Array.from({ length: first }, () => undefined);
  if (wants(queries)) {
    gradients[queries] = record(queryRule, [...all, statistics, gradient], attributes);
  }
  if (wants(keys) || wants(values)) {
    const both = record(keyValueRule, [...all, statistics, gradient], attributes);
    const width = widthOf(operands[keys], 'k');
    const part = (from: number, size: number): Tensor =>
      columns(both, { first: from, step: size, size, count: 1 });
    gradients[keys] = part(0, width);
    gradients[values] = part(width, widthOf(operands[values], 'v'));
  }
  return gradients;
}
