import { mismatch } from '../errors.js';
import { checkFloat, checkOptions, checkSizes } from '../graph/options.js';
import {
  bytesOf,
  type CostOperand,
  type Operand,
  type ReferenceTensor,
  registerOp,
} from '../graph/rules.js';
import type { Dim } from '../graph/shape.js';
import { expectTensor, record, type Tensor } from '../graph/tensor.js';
import { checkOffsets, dims, expectInt32, fixed, float32, offsets } from './operands.js';

/** `relative`: [heads, 2D + 1], read at key − query + D; `dense`: [heads or 1, P, P'], read at (query, key) positions. */
export type BiasKind = 'none' | 'relative' | 'dense';
const biasKinds: readonly BiasKind[] = ['none', 'relative', 'dense'];

type AttentionAttributes = {
  heads: number;
  keyHeads: number;
  /** A key is visible up to this many positions before (left) and after (right) the query; −1: any. */
  left: number;
  right: number;
  bias: BiasKind;
  scale: number;
  softCap: number;
};

export interface AttentionOptions {
  heads: number;
  /** Heads of keys and values (grouped-query attention, Ainslie et al. 2023); default: as many as `heads`. */
  keyHeads?: number;
  /** Row offsets of the sequences of q, int32 [segments + 1]. */
  segments: Tensor;
  /** Those of k and v, where they differ (cross-attention). */
  keySegments?: Tensor;
  /** Positions for windows and biases, int32 [rows]; default: the row's number in its segment. */
  positions?: Tensor;
  keyPositions?: Tensor;
  /** No key after the query is visible. */
  causal?: boolean;
  /** Positions visible before and after the query. */
  window?: { left?: number; right?: number };
  /** Added to the scores: see `BiasKind`. */
  bias?: { kind: 'relative' | 'dense'; values: Tensor };
  /** Factor of q·k; default 1 / √(head size). Its inverse is the temperature. */
  scale?: number;
  /** Scores become softCap·tanh(score / softCap) (Gemma 2, section 2); 0 or left out: none. */
  softCap?: number;
}

const optionNames: readonly (keyof AttentionOptions)[] = [
  'heads',
  'keyHeads',
  'segments',
  'keySegments',
  'positions',
  'keyPositions',
  'causal',
  'window',
  'bias',
  'scale',
  'softCap',
];

const scoreOperands = [
  'q',
  'k',
  'segments',
  'keySegments',
  'positions?',
  'keyPositions?',
  'bias?',
] as const;

/** Checks everything that scores are made of; returns the rows of q and k and the head size. */
function checkScores(
  [q, k, segments, keySegments, positions, keyPositions, bias]: readonly (Operand | undefined)[],
  { heads, keyHeads, left, right, bias: biasKind, scale, softCap }: AttentionAttributes,
): { rows: Dim; keyRows: Dim } {
  checkFloat('scale', scale);
  checkFloat('softCap', softCap, 0);
  const [rows, width] = dims(float32(q, 'q'), 'q', ['rows', 'heads·size']);
  const [keyRows, keyWidth] = dims(float32(k, 'k'), 'k', ['rows', 'key heads·size']);
  if (!(heads > 0 && keyHeads > 0 && heads % keyHeads === 0)) {
    throw mismatch('ERR_SHAPE', 'heads', 'a multiple of the key heads', `${heads} of ${keyHeads}`);
  }
  const size = fixed(width, 'q') / heads;
  if (!Number.isInteger(size) || size === 0) {
    throw mismatch('ERR_SHAPE', 'q', `a width that ${heads} heads divide`, `${width}`);
  }
  if (keyWidth !== size * keyHeads) {
    throw mismatch('ERR_SHAPE', 'k', `${size * keyHeads} columns`, `${keyWidth}`);
  }
  if (offsets(segments, 'segments') !== offsets(keySegments, 'keySegments')) {
    throw mismatch('ERR_SHAPE', 'keySegments', 'as many segments as q has', 'another number');
  }
  if (positions) expectInt32(positions, 'positions', [rows]);
  if (keyPositions) expectInt32(keyPositions, 'keyPositions', [keyRows]);
  const isReach = (reach: number): boolean =>
    Number.isInteger(reach) && reach >= -1 && reach < 2 ** 31;
  if (!isReach(left) || !isReach(right)) {
    throw mismatch('ERR_ARGUMENT', 'window', 'sizes of at least −1', `${left} and ${right}`);
  }
  if (biasKind === 'relative') {
    const [biasHeads, distances] = dims(float32(bias, 'bias'), 'bias', ['heads', '2·distance + 1']);
    if (biasHeads !== heads || fixed(distances, 'bias') % 2 === 0) {
      throw mismatch(
        'ERR_SHAPE',
        'bias',
        `[${heads}, an odd number]`,
        `[${biasHeads}, ${distances}]`,
      );
    }
  } else if (biasKind === 'dense') {
    const [biasHeads] = dims(float32(bias, 'bias'), 'bias', ['heads', 'positions', 'positions']);
    if (biasHeads !== heads && biasHeads !== 1) {
      throw mismatch('ERR_SHAPE', 'bias', `${heads} or 1 heads`, `${biasHeads}`);
    }
  }
  return { rows, keyRows };
}

/** Calls `use` with the attention weights of each query row, in float64; keys it may not see have weight 0. */
function eachRowOfWeights(
  [q, k, segments, keySegments, positions, keyPositions, bias]: readonly ReferenceTensor[],
  attributes: AttentionAttributes,
  use: (
    head: number,
    segment: number,
    row: number,
    firstKey: number,
    weights: Float64Array,
  ) => void,
): void {
  const { heads, keyHeads, left, right, scale, softCap } = attributes;
  const size = q.shape[1] / heads;
  const bounds = checkOffsets(segments, q.shape[0], 'segments');
  const keyBounds = checkOffsets(keySegments, k.shape[0], 'keySegments');
  for (let segment = 0; segment + 1 < bounds.length; segment++) {
    const begin = bounds[segment];
    const firstKey = keyBounds[segment];
    const keyCount = keyBounds[segment + 1] - firstKey;
    for (let head = 0; head < heads; head++) {
      const keyHead = Math.floor(head / (heads / keyHeads));
      for (let row = begin; row < bounds[segment + 1]; row++) {
        const queryPosition = positions?.data[row] ?? row - begin;
        const weights = new Float64Array(keyCount);
        let largest = -Infinity;
        for (let key = 0; key < keyCount; key++) {
          const keyPosition = keyPositions?.data[firstKey + key] ?? key;
          const ahead = keyPosition - queryPosition;
          if ((left >= 0 && -ahead > left) || (right >= 0 && ahead > right)) {
            weights[key] = -Infinity;
            continue;
          }
          let score = 0;
          for (let i = 0; i < size; i++) {
            score +=
              q.data[row * heads * size + head * size + i] *
              k.data[(firstKey + key) * keyHeads * size + keyHead * size + i];
          }
          score *= scale;
          if (softCap > 0) score = softCap * Math.tanh(score / softCap);
          weights[key] = score + biasAt(bias, attributes.bias, head, queryPosition, keyPosition);
          largest = Math.max(largest, weights[key]);
        }
        let sum = 0;
        for (let key = 0; key < keyCount; key++) {
          weights[key] = largest === -Infinity ? 0 : Math.exp(weights[key] - largest);
          sum += weights[key];
        }
        if (sum !== 0) for (let key = 0; key < keyCount; key++) weights[key] = weights[key] / sum;
        use(head, segment, row, firstKey, weights);
      }
    }
  }
}

function biasAt(
  bias: ReferenceTensor,
  kind: BiasKind,
  head: number,
  query: number,
  key: number,
): number {
  if (kind === 'none') return 0;
  if (kind === 'relative') {
    const width = bias.shape[1];
    const column = Math.min(Math.max(key - query + (width - 1) / 2, 0), width - 1);
    return bias.data[head * width + column];
  }
  const [heads = 1, queries = 0, keys = 0] = bias.shape;
  if (query < 0 || query >= queries || key < 0 || key >= keys) {
    throw mismatch(
      'ERR_INPUT',
      'positions',
      `positions inside the bias of ${queries} × ${keys}`,
      `(${query}, ${key})`,
    );
  }
  return bias.data[((heads === 1 ? 0 : head) * queries + query) * keys + key];
}

const lowerAttributes = ({
  heads,
  keyHeads,
  left,
  right,
  bias,
  scale,
  softCap,
}: AttentionAttributes) => ({
  ints: [heads, keyHeads, left, right, biasKinds.indexOf(bias)],
  floats: [scale, softCap],
});

/** Query–key pairs of a call: from the offsets where they are known, else all rows with all keys. */
function pairs(
  q: CostOperand,
  k: CostOperand,
  segments?: Int32Array,
  keySegments?: Int32Array,
): number {
  if (!segments || !keySegments) return q.shape[0] * k.shape[0];
  let sum = 0;
  for (let i = 0; i + 1 < segments.length; i++) {
    sum += (segments[i + 1] - segments[i]) * (keySegments[i + 1] - keySegments[i]);
  }
  return sum;
}

const attentionRule = registerOp<AttentionAttributes>({
  name: 'attention',
  operands: [...scoreOperands, 'v'],
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
  reference(operands, attributes, { data }) {
    const v = operands[7];
    const { heads, keyHeads } = attributes;
    const size = v.shape[1] / keyHeads;
    eachRowOfWeights(operands, attributes, (head, _, row, firstKey, weights) => {
      const column = Math.floor(head / (heads / keyHeads)) * size;
      for (let i = 0; i < size; i++) {
        let sum = 0;
        weights.forEach((weight, key) => {
          if (weight !== 0) sum += weight * v.data[(firstKey + key) * keyHeads * size + column + i];
        });
        data[row * heads * size + head * size + i] = sum;
      }
    });
  },
  lower: (attributes) => ({
    kernel: 'attention',
    operands: [0, 1, 7, 2, 3, 4, 5, 6],
    ...lowerAttributes(attributes),
  }),
  cost([q, k, segments, keySegments, , , bias, v], { heads }, output) {
    const count = pairs(q, k, segments.data, keySegments?.data);
    const widths = q.shape[1] + output.shape[1];
    return {
      flops: count * (2 * widths + 12 * heads),
      bytes: bytesOf(q) + bytesOf(k) + bytesOf(v) + bytesOf(bias) + bytesOf(output),
    };
  },
});

/**
 * Scaled dot-product attention over packed sequences, softmax(scale·q·kᵀ + bias)·v for each head (Vaswani et al. 2017,
 * section 3.2), without ever holding the scores. q: float32 [rows, heads·size]; k: [keyRows, keyHeads·size]; v: [keyRows,
 * keyHeads·valueSize]. A query sees the keys of its own segment only; one that sees none gives zeros.
 * @returns float32 [rows, heads·valueSize].
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
  const [operands, attributes] = scores(q, k, options);
  return record(attentionRule, [...operands, v], attributes);
}

const weightsRule = registerOp<AttentionAttributes & { pairs: Dim }>({
  name: 'attentionWeights',
  operands: [...scoreOperands, 'pairOffsets'],
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
  cost([q, k, segments, keySegments, , , bias], { heads }, output) {
    const count = pairs(q, k, segments.data, keySegments?.data);
    return {
      flops: count * (2 * q.shape[1] + 12 * heads),
      bytes: bytesOf(q) + bytesOf(k) + bytesOf(bias) + bytesOf(output),
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
  const [operands, attributes] = scores(q, k, options);
  return record(weightsRule, [...operands, pairOffsets], { ...attributes, pairs });
}

function scores(
  q: Tensor,
  k: Tensor,
  options: AttentionOptions,
): [(Tensor | undefined)[], AttentionAttributes] {
  checkOptions('attention', options, optionNames);
  expectTensor(q, 'attention: q');
  expectTensor(k, 'attention: k');
  const {
    heads,
    keyHeads = heads,
    segments,
    keySegments = segments,
    bias,
    causal = false,
  } = options;
  const { positions, keyPositions = k.shape[0] === q.shape[0] ? positions : undefined } = options;
  const { window = {} } = options;
  checkSizes('attention', { heads, keyHeads });
  checkOptions('attention: window', window, ['left', 'right']);
  if (bias) checkOptions('attention: bias', bias, ['kind', 'values']);
  const width = q.shape[1];
  const scale = options.scale ?? (typeof width === 'number' ? 1 / Math.sqrt(width / heads) : 1);
  const attributes: AttentionAttributes = {
    heads,
    keyHeads,
    left: window.left ?? -1,
    right: causal ? 0 : (window.right ?? -1),
    bias: bias?.kind ?? 'none',
    scale,
    softCap: options.softCap ?? 0,
  };
  const usesPositions = attributes.left >= 0 || attributes.right >= 0 || bias !== undefined;
  const places = usesPositions ? [positions, keyPositions] : [undefined, undefined];
  return [[q, k, segments, keySegments, ...places, bias?.values], attributes];
}
