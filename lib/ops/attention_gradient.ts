/**
 * The gradients of `attention` (Dao 2023, "FlashAttention-2", section 2.3.2). With weights P = softmax(S) and D the row sums
 * of gradient·output: ∂V = Pᵀ·gradient, ∂S = P∘(gradient·Vᵀ − D), ∂Q = scale·∂S·K, ∂K = scale·∂Sᵀ·Q. Weights are made
 * again, tile by tile, from the scores' greatest and the inverse of
 * their sum (`statistics`); they are never held.
 */
import {
  bytesOf,
  type GradientCall,
  type Operand,
  type ReferenceTensor,
  registerOp,
} from '../graph/rules.js';
import { furtherResult, record, type Tensor } from '../graph/tensor.js';
import { dropoutOperands, keptWeights, lowerDropped } from './attention_dropout.js';
import {
  type AttentionAttributes,
  biasIndex,
  bucketOf,
  countPairs,
  eachRowOfWeights,
  lowerAttributes,
  relativeOperands,
  scoreOperands,
} from './attention_scores.js';
import { dims, expectFloat32, fixed, float32 } from './operands.js';

const [queries, keys, queryPositions, keyPositions, bias, values] = [0, 1, 4, 5, 6, 7] as const;
const [relativeKeys, relativeQueries] = [8, 9] as const;
const [outputs, statistics, outputGradient] = [13, 14, 15] as const;
const all = [...scoreOperands, 'v', ...relativeOperands, ...dropoutOperands] as const;
const given = [...all, 'output', 'statistics', 'gradient'] as const;
/** In the order of the kernels. */
const kernelOperands = [
  0,
  1,
  7,
  2,
  3,
  4,
  5,
  6,
  8,
  9,
  10,
  11,
  12,
  outputs,
  statistics,
  outputGradient,
];

const widthOf = (operand: Operand | undefined, name: string): number =>
  fixed(dims(float32(operand, name), name, ['rows', 'columns'])[1], name);

/** The shape of an operand is that of the gradient by it. */
const like = (i: number, name: string) => (operands: readonly (Operand | undefined)[]) => {
  const { shape } = float32(operands[i], name);
  return { shape, dtype: 'float32' as const };
};

/** What a visible pair adds. */
interface Pair {
  /** Of the first component of the pair's query, key, gradient and value, among all of their numbers. */
  query: number;
  key: number;
  gradient: number;
  value: number;
  head: number;
  queryPosition: number;
  keyPosition: number;
  /** As dropout leaves it. */
  weight: number;
  /** ∂loss / ∂score, and by what was capped: ∂loss / ∂(scale·q·k). */
  byScore: number;
  slope: number;
}

function eachPair(
  operands: readonly ReferenceTensor[],
  attributes: AttentionAttributes,
  use: (pair: Pair) => void,
): void {
  const { heads, keyHeads, scale, softCap } = attributes;
  const [q, k, v] = [operands[queries], operands[keys], operands[values]];
  const [output, gradient] = [operands[outputs], operands[outputGradient]];
  const [size, valueSize] = [q.shape[1] / heads, v.shape[1] / keyHeads];
  const bounds = operands[2].data;
  const kept = keptWeights(operands, attributes);
  eachRowOfWeights(operands, attributes, (head, segment, row, firstKey, weights) => {
    const keyHead = Math.floor(head / (heads / keyHeads));
    const query = (row * heads + head) * size;
    const from = (row * heads + head) * valueSize;
    const queryPosition = operands[queryPositions]?.data[row] ?? row - bounds[segment];
    let mean = 0;
    for (let i = from; i < from + valueSize; i++) mean += output.data[i] * gradient.data[i];
    weights.forEach((weight, j) => {
      if (weight === 0) return;
      const key = ((firstKey + j) * keyHeads + keyHead) * size;
      const value = ((firstKey + j) * keyHeads + keyHead) * valueSize;
      let [along, score] = [0, 0];
      for (let i = 0; i < valueSize; i++) along += gradient.data[from + i] * v.data[value + i];
      for (let i = 0; i < size; i++) score += q.data[query + i] * k.data[key + i];
      const factor = kept(row, head, j);
      const bend = softCap > 0 ? 1 - Math.tanh((scale * score) / softCap) ** 2 : 1;
      const byScore = weight * (along * factor - mean);
      use({
        query,
        key,
        gradient: from,
        value,
        head,
        queryPosition,
        keyPosition: operands[keyPositions]?.data[firstKey + j] ?? j,
        weight: weight * factor,
        byScore,
        slope: byScore * bend,
      });
    });
  });
}

function checkGiven(
  operands: readonly (Operand | undefined)[],
  { heads, keyHeads }: AttentionAttributes,
): void {
  const [rows] = dims(float32(operands[queries], 'q'), 'q', ['rows', 'heads·size']);
  const width = (widthOf(operands[values], 'v') / keyHeads) * heads;
  expectFloat32(operands[outputs], 'output', [rows, width]);
  expectFloat32(operands[statistics], 'statistics', [rows, 2 * heads]);
  expectFloat32(operands[outputGradient], 'gradient', [rows, width]);
}

/** By q, and where they are read by k and v: one pass over the pairs serves all three. */
const gradientRule = registerOp<AttentionAttributes>({
  name: 'attentionGradient',
  operands: given,
  infer(operands, attributes) {
    checkGiven(operands, attributes);
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
    const rowOf = relativeRow(operands, attributes);
    const [keyTable, queryTable] = [operands[relativeKeys], operands[relativeQueries]];
    eachPair(operands, attributes, (pair) => {
      const relative = rowOf?.(pair) ?? 0;
      const slope = pair.slope * scale;
      for (let i = 0; i < size; i++) {
        byQueries[pair.query + i] += slope * k.data[pair.key + i];
        if (byKeys) byKeys.data[pair.key + i] += slope * q.data[pair.query + i];
        if (!rowOf) continue;
        if (keyTable) byQueries[pair.query + i] += slope * keyTable.data[relative + i];
        if (queryTable && byKeys)
          byKeys.data[pair.key + i] += slope * queryTable.data[relative + i];
      }
      for (let i = 0; byValues && i < valueSize; i++) {
        byValues.data[pair.value + i] += pair.weight * gradient.data[pair.gradient + i];
      }
    });
  },
  lower: (attributes) => ({
    kernel: 'attentionGradient',
    operands: kernelOperands,
    ...lowerDropped(lowerAttributes(attributes), attributes),
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

/** By the bias; by the tables of a disentangled one, of those that there are. */
const biasRule = registerOp<AttentionAttributes>({
  name: 'attentionBiasGradient',
  operands: given,
  infer(operands, attributes) {
    checkGiven(operands, attributes);
    const source = [bias, relativeKeys, relativeQueries].find((i) => operands[i]) ?? bias;
    return like(source, 'bias')(operands);
  },
  further: [{ name: 'byRelativeQueries', infer: like(relativeQueries, 'relativeQueries') }],
  reference(operands, attributes, { shape, data }, [further]) {
    const { heads, scale } = attributes;
    const [q, k] = [operands[queries], operands[keys]];
    const size = q.shape[1] / heads;
    const rowOf = relativeRow(operands, attributes);
    const byRelativeKeys = operands[relativeKeys] && data;
    const byRelativeQueries = byRelativeKeys ? further?.data : data;
    eachPair(operands, attributes, (pair) => {
      if (!rowOf) {
        const { head, queryPosition, keyPosition } = pair;
        const at = biasIndex({ shape }, attributes.bias, head, queryPosition, keyPosition);
        if (at !== undefined) data[at] += pair.byScore;
        return;
      }
      const [relative, slope] = [rowOf(pair), pair.slope * scale];
      for (let i = 0; i < size; i++) {
        if (byRelativeKeys) byRelativeKeys[relative + i] += slope * q.data[pair.query + i];
        if (byRelativeQueries) byRelativeQueries[relative + i] += slope * k.data[pair.key + i];
      }
    });
  },
  lower: (attributes) => ({
    kernel: 'attentionBiasGradient',
    operands: kernelOperands,
    ...lowerDropped(lowerAttributes(attributes), attributes),
  }),
  cost(operands, { heads, left, right }, output) {
    const products = operands[queries].shape[1] + operands[outputs].shape[1];
    return {
      flops: countPairs(operands, { left, right }) * (2 * products + 12 * heads),
      bytes: operands.reduce((sum, operand) => sum + bytesOf(operand), bytesOf(output)),
    };
  },
});

/** Where the row of the head and of the pair's bucket begins in a table of a disentangled bias. */
function relativeRow(
  operands: readonly ReferenceTensor[],
  { bias: kind, heads }: AttentionAttributes,
): ((pair: Pair) => number) | undefined {
  if (kind !== 'disentangled') return undefined;
  const width = operands[queries].shape[1];
  const bucketAt = bucketOf(operands);
  return ({ head, queryPosition, keyPosition }) =>
    bucketAt(keyPosition - queryPosition) * width + head * (width / heads);
}

/** The gradient rule of `attention`. */
export function attentionGradient(call: GradientCall<AttentionAttributes>): (Tensor | undefined)[] {
  const { operands, attributes, result, gradient, wants } = call;
  const read = [...all.map((_, i) => operands[i]), result, furtherResult(result, 0), gradient];
  const gradients: (Tensor | undefined)[] = all.map(() => undefined);
  if (wants(queries) || wants(keys) || wants(values)) {
    const byQueries = record(gradientRule, read, attributes);
    if (wants(queries)) gradients[queries] = byQueries;
    if (wants(keys)) gradients[keys] = furtherResult(byQueries, 0);
    if (wants(values)) gradients[values] = furtherResult(byQueries, 1);
  }
  if (wants(bias) || wants(relativeKeys) || wants(relativeQueries)) {
    const byBias = record(biasRule, read, attributes);
    if (wants(bias)) gradients[bias] = byBias;
    if (wants(relativeKeys)) gradients[relativeKeys] = byBias;
    if (wants(relativeQueries)) {
      gradients[relativeQueries] = operands[relativeKeys] ? furtherResult(byBias, 0) : byBias;
    }
  }
  return gradients;
}
