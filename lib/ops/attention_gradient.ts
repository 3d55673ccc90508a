/**
 * The gradients of `attention` (Dao 2023, "FlashAttention-2", section 2.3.2). With weights P = softmax(S) and D the row sums
 * of gradient·output: ∂V = Pᵀ·gradient, ∂S = P∘(gradient·Vᵀ − D), ∂Q = scale·∂S·K, ∂K = scale·∂Sᵀ·Q. Weights are made
 * again, tile by tile, from the scores' greatest and the inverse of
 * their sum (`statistics`); they are never held.
 */
import { HeddleError } from '../errors.js';
import {
  bytesOf,
  type GradientCall,
  type Operand,
  type ReferenceTensor,
  registerOp,
} from '../graph/rules.js';
import { furtherResult, record, type Tensor } from '../graph/tensor.js';
import {
  type AttentionAttributes,
  countPairs,
  eachRowOfWeights,
  lowerAttributes,
  relativeOperands,
  scoreOperands,
} from './attention_scores.js';
import { dims, expectFloat32, fixed, float32 } from './operands.js';

const [queries, keys, values, outputs, statistics, outputGradient] = [0, 1, 7, 11, 12, 13] as const;

const widthOf = (operand: Operand | undefined, name: string): number =>
  fixed(dims(float32(operand, name), name, ['rows', 'columns'])[1], name);

/** The shape of an operand is that of the gradient by it. */
const like = (i: number, name: string) => (operands: readonly (Operand | undefined)[]) => {
  const { shape } = float32(operands[i], name);
  return { shape, dtype: 'float32' as const };
};

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
  const [output, gradient] = [operands[outputs], operands[outputGradient]];
  const [size, valueSize] = [q.shape[1] / heads, v.shape[1] / keyHeads];
  eachRowOfWeights(operands, attributes, (head, _, row, firstKey, weights) => {
    const keyHead = Math.floor(head / (heads / keyHeads));
    const query = (row * heads + head) * size;
    const from = (row * heads + head) * valueSize;
    let mean = 0;
    for (let i = from; i < from + valueSize; i++) mean += output.data[i] * gradient.data[i];
    weights.forEach((weight, j) => {
      if (weight === 0) return;
      const key = ((firstKey + j) * keyHeads + keyHead) * size;
      const value = ((firstKey + j) * keyHeads + keyHead) * valueSize;
      let [along, score] = [0, 0];
      for (let i = 0; i < valueSize; i++) along += gradient.data[from + i] * v.data[value + i];
      for (let i = 0; i < size; i++) score += q.data[query + i] * k.data[key + i];
      const bend = softCap > 0 ? 1 - Math.tanh((scale * score) / softCap) ** 2 : 1;
      const slope = weight * (along - mean) * bend;
      use({ query, key, gradient: from, value, weight, slope });
    });
  });
}

/** By q, and where they are read by k and v: one pass over the pairs serves all three. */
const gradientRule = registerOp<AttentionAttributes>({
  name: 'attentionGradient',
  operands: [...scoreOperands, 'v', ...relativeOperands, 'output', 'statistics', 'gradient'],
  infer(operands, { heads, keyHeads }) {
    const [rows] = dims(float32(operands[queries], 'q'), 'q', ['rows', 'heads·size']);
    const width = (widthOf(operands[values], 'v') / keyHeads) * heads;
    expectFloat32(operands[outputs], 'output', [rows, width]);
    expectFloat32(operands[statistics], 'statistics', [rows, 2 * heads]);
    expectFloat32(operands[outputGradient], 'gradient', [rows, width]);
    return like(queries, 'q')(operands);
  },
  further: [
    { name: 'byKeys', infer: like(keys, 'k') },
    { name: 'byValues', infer: like(values, 'v') },
  ],
  reference(operands, attributes, { data: byQueries }, [byKeys, byValues]) {
    const { heads, keyHeads, scale } = attributes;
    const [q, k, v] = [operands[queries], operands[keys], operands[values]];
    const gradient = operands[outputGradient];
    const [size, valueSize] = [q.shape[1] / heads, v.shape[1] / keyHeads];
    eachPair(operands, attributes, (pair) => {
      for (let i = 0; i < size; i++) {
        byQueries[pair.query + i] += pair.slope * scale * k.data[pair.key + i];
        if (byKeys) byKeys.data[pair.key + i] += pair.slope * scale * q.data[pair.query + i];
      }
      for (let i = 0; byValues && i < valueSize; i++) {
        byValues.data[pair.value + i] += pair.weight * gradient.data[pair.gradient + i];
      }
    });
  },
  lower: (attributes) => ({
    kernel: 'attentionGradient',
    operands: [0, 1, 7, 2, 3, 4, 5, 6, 8, 9, 10, outputs, statistics, outputGradient],
    ...lowerAttributes(attributes),
  }),
  cost(operands, { heads, left, right }) {
    const [q, k] = operands;
    const products = 3 * q.shape[1] + 2 * operands[outputs].shape[1];
    const written = bytesOf(q) + bytesOf(k) + bytesOf(operands[values]);
    return {
      flops: countPairs(operands, { left, right }) * (2 * products + 12 * heads),
      bytes: operands.reduce((sum, operand) => sum + bytesOf(operand), written),
    };
  },
});

/** The gradient rule of `attention`. */
export function attentionGradient(call: GradientCall<AttentionAttributes>): (Tensor | undefined)[] {
  const { operands, attributes, result, gradient, wants } = call;
  if (attributes.bias === 'disentangled') {
    throw new HeddleError('ERR_UNSUPPORTED', 'gradient: attention: none with a disentangled bias');
  }
  const all = Array.from({ length: outputs }, (_, i) => operands[i]);
  const given = [...all, result, furtherResult(result, 0), gradient];
  const byQueries = record(gradientRule, given, attributes);
  const gradients: (Tensor | undefined)[] = Array.from({ length: outputs }, () => undefined);
  if (wants(queries)) gradients[queries] = byQueries;
  if (wants(keys)) gradients[keys] = furtherResult(byQueries, 0);
  if (wants(values)) gradients[values] = furtherResult(byQueries, 1);
  return gradients;
}
