import { mismatch } from '../errors.js';
import { checkFloat, checkOptions, checkSizes } from '../graph/options.js';
import type { CostOperand, Operand, ReferenceTensor } from '../graph/rules.js';
import type { Dim } from '../graph/shape.js';
import { expectTensor, type Tensor } from '../graph/tensor.js';
import { type AttentionDropout, checkDropout } from './attention_dropout.js';
import {
  checkIndices,
  checkOffsets,
  dims,
  expectFloat32,
  expectInt32,
  fixed,
  float32,
  offsets,
} from './operands.js';

/** Numbered as in native/kernels/README.md. */
const biasKinds = ['none', 'relative', 'dense', 'disentangled'] as const;
type BiasKind = (typeof biasKinds)[number];

/**
 * What is added to the scores. `relative`: values [heads, 2D + 1], read at key − query + D; `dense`: values [heads or 1, P,
 * P'], read at (query, key) positions; where P is 1, that row serves all queries.
 *
 * `disentangled` (He et al. 2021, "DeBERTa", section 3.1): scale·(q·relativeKeys[b] + k·relativeQueries[b]) for each head,
 * where b = buckets[key − query + D]; both float32 [count, heads·size], either of them may be left out; buckets: int32
 * [2D + 1], a run-time input, each below count. Not with grouped heads or a soft-cap.
 *
 * Distances beyond D are read as D.
 */
export type AttentionBias =
  | { kind: 'relative' | 'dense'; values: Tensor }
  | {
      kind: 'disentangled';
      relativeKeys?: Tensor | undefined;
      relativeQueries?: Tensor | undefined;
      buckets: Tensor;
    };

export type AttentionAttributes = {
  heads: number;
  keyHeads: number;
  /** A key is visible up to this many positions before (left) and after (right) the query; −1: any. */
  left: number;
  right: number;
  bias: BiasKind;
  scale: number;
  softCap: number;
  /** Of weights; 0: none. */
  dropRate: number;
  /** Of the dropout's random bits. */
  site: number;
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
  bias?: AttentionBias;
  /** Factor of q·k; default 1 / √(head size). Its inverse is the temperature. */
  scale?: number;
  /** Scores become softCap·tanh(score / softCap) (Gemma 2, section 2); 0 or left out: none. */
  softCap?: number;
  /** Bits are keyed by row, head and number of the key in its sequence. Not in `attentionWeights`. */
  dropout?: AttentionDropout | undefined;
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
  'dropout',
];

/** Operands of both ops, before and after the one that they do not share. */
export const scoreOperands = [
  'q',
  'k',
  'segments',
  'keySegments',
  'positions?',
  'keyPositions?',
  'bias?',
] as const;
export const relativeOperands = ['relativeKeys?', 'relativeQueries?', 'buckets?'] as const;

/** Checks everything that scores are made of; returns the rows of q and k and the head size. */
export function checkScores(
  operands: readonly (Operand | undefined)[],
  attributes: AttentionAttributes,
): { rows: Dim; keyRows: Dim } {
  const [q, k, segments, keySegments, positions, keyPositions, bias] = operands;
  const { heads, keyHeads, left, right, bias: biasKind, scale, softCap } = attributes;
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
  } else if (biasKind === 'disentangled') {
    checkDisentangled(operands.slice(8), attributes, width);
  }
  return { rows, keyRows };
}

function checkDisentangled(
  [relativeKeys, relativeQueries, buckets]: readonly (Operand | undefined)[],
  { heads, keyHeads, softCap }: AttentionAttributes,
  width: Dim,
): void {
  if (keyHeads !== heads || softCap > 0) {
    const found = `${heads} heads on ${keyHeads}, soft-cap ${softCap}`;
    throw mismatch('ERR_ARGUMENT', 'bias', 'heads of their own and no soft-cap', found);
  }
  if (!relativeKeys && !relativeQueries) {
    throw mismatch('ERR_ARGUMENT', 'bias', 'relativeKeys, relativeQueries or both', 'neither');
  }
  const count = (relativeKeys ?? relativeQueries)?.shape[0] ?? 0;
  expectFloat32(relativeKeys, 'relativeKeys', [count, width]);
  expectFloat32(relativeQueries, 'relativeQueries', [count, width]);
  expectInt32(buckets, 'buckets', [buckets?.shape[0] ?? 0]);
}

/**
 * Query–key pairs of a call: from the offsets where they are known, else all rows with all keys. A query has the keys of its
 * segment, or as many as its window is wide; those that a causal mask or the segment's ends hide from it are counted with
 * them, as published accounts have it.
 */
export function countPairs(
  [q, k, segments, keySegments]: readonly CostOperand[],
  { left, right }: { left: number; right: number },
): number {
  const [bounds, keyBounds] = [segments.data, keySegments?.data];
  const widest = left < 0 || right < 0 ? Infinity : left + 1 + right;
  if (!bounds || !keyBounds) return q.shape[0] * Math.min(k.shape[0], widest);
  let sum = 0;
  for (let i = 0; i + 1 < bounds.length; i++) {
    sum += (bounds[i + 1] - bounds[i]) * Math.min(keyBounds[i + 1] - keyBounds[i], widest);
  }
  return sum;
}

/**
 * Calls `use` with the attention weights of each query row, in float64, the row's greatest score and the sum of e^(score −
 * greatest); keys it may not see have weight 0.
 */
export function eachRowOfWeights(
  operands: readonly ReferenceTensor[],
  attributes: AttentionAttributes,
  use: (
    head: number,
    segment: number,
    row: number,
    firstKey: number,
    weights: Float64Array,
    greatest: number,
    sum: number,
  ) => void,
): void {
  const [q, k, segments, keySegments, positions, keyPositions, bias] = operands;
  const { heads, keyHeads, left, right, scale, softCap } = attributes;
  const relative = attributes.bias === 'disentangled' ? relativeScore(operands) : undefined;
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
          score += relative?.(head * size, size, row, firstKey + key, ahead) ?? 0;
          score *= scale;
          if (softCap > 0) score = softCap * Math.tanh(score / softCap);
          const at = biasIndex(bias, attributes.bias, head, queryPosition, keyPosition);
          weights[key] = score + (at === undefined ? 0 : bias.data[at]);
          largest = Math.max(largest, weights[key]);
        }
        let sum = 0;
        for (let key = 0; key < keyCount; key++) {
          weights[key] = largest === -Infinity ? 0 : Math.exp(weights[key] - largest);
          sum += weights[key];
        }
        if (sum !== 0) for (let key = 0; key < keyCount; key++) weights[key] = weights[key] / sum;
        use(head, segment, row, firstKey, weights, largest, sum);
      }
    }
  }
}

/** The bucket of a key so far ahead of a query. */
export function bucketOf(operands: readonly ReferenceTensor[]): (ahead: number) => number {
  const [relativeKeys, relativeQueries, table] = operands.slice(8) as (
    | ReferenceTensor
    | undefined
  )[];
  const count = (relativeKeys ?? relativeQueries)?.shape[0] ?? 0;
  const buckets = checkIndices(table as ReferenceTensor, count, 'buckets');
  if (buckets.length % 2 === 0) {
    throw mismatch('ERR_SHAPE', 'buckets', 'an odd number', `${buckets.length}`);
  }
  const last = buckets.length - 1;
  return (ahead) => buckets[Math.min(Math.max(ahead + last / 2, 0), last)];
}

/** q[row]·relativeKeys[b] + k[keyRow]·relativeQueries[b], over `size` columns from `column` on. */
function relativeScore(operands: readonly ReferenceTensor[]) {
  const [q, k] = operands;
  const [relativeKeys, relativeQueries] = operands.slice(8) as (ReferenceTensor | undefined)[];
  const width = q.shape[1];
  const bucketAt = bucketOf(operands);
  return (column: number, size: number, row: number, keyRow: number, ahead: number): number => {
    const bucket = bucketAt(ahead);
    let sum = 0;
    for (let i = column; i < column + size; i++) {
      if (relativeKeys) sum += q.data[row * width + i] * relativeKeys.data[bucket * width + i];
      if (relativeQueries)
        sum += k.data[keyRow * width + i] * relativeQueries.data[bucket * width + i];
    }
    return sum;
  };
}

/** Which number of a relative or dense bias a pair reads; undefined where there is no such bias. */
export function biasIndex(
  bias: { readonly shape: readonly number[] } | undefined,
  kind: BiasKind,
  head: number,
  query: number,
  key: number,
): number | undefined {
  if (!bias || kind === 'none' || kind === 'disentangled') return undefined;
  const { shape } = bias;
  if (kind === 'relative') {
    const width = shape[1];
    return head * width + Math.min(Math.max(key - query + (width - 1) / 2, 0), width - 1);
  }
  const [heads = 1, queries = 0, keys = 0] = shape;
  const row = queries === 1 ? 0 : query;
  if (row < 0 || row >= queries || key < 0 || key >= keys) {
    throw mismatch(
      'ERR_INPUT',
      'positions',
      `positions inside the bias of ${queries} × ${keys}`,
      `(${query}, ${key})`,
    );
  }
  return ((heads === 1 ? 0 : head) * queries + row) * keys + key;
}

export const lowerAttributes = ({
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

/** What both ops are recorded with, but for the operand between the first seven and the last three. */
export function scores(
  q: Tensor,
  k: Tensor,
  options: AttentionOptions,
): {
  operands: (Tensor | undefined)[];
  relative: (Tensor | undefined)[];
  dropout: (Tensor | undefined)[];
  attributes: AttentionAttributes;
} {
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
    dropout,
  } = options;
  const { positions, keyPositions = k.shape[0] === q.shape[0] ? positions : undefined } = options;
  const { window = {} } = options;
  checkSizes('attention', { heads, keyHeads });
  checkOptions('attention: window', window, ['left', 'right']);
  if (bias) checkBias(bias);
  if (dropout) checkDropout(dropout);
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
    dropRate: dropout?.rate ?? 0,
    site: dropout?.site ?? 0,
  };
  const usesPositions = attributes.left >= 0 || attributes.right >= 0 || bias !== undefined;
  const places = usesPositions ? [positions, keyPositions] : [undefined, undefined];
  const isRelative = bias?.kind === 'disentangled';
  return {
    operands: [q, k, segments, keySegments, ...places, isRelative ? undefined : bias?.values],
    relative: isRelative
      ? [bias.relativeKeys, bias.relativeQueries, bias.buckets]
      : relativeOperands.map(() => undefined),
    dropout: [dropout?.seed, dropout?.step],
    attributes,
  };
}

function checkBias(bias: AttentionBias): void {
  if (bias.kind === 'disentangled') {
    const names = ['kind', 'relativeKeys', 'relativeQueries', 'buckets'] as const;
    checkOptions('attention: bias', bias, names);
  } else {
    checkOptions('attention: bias', bias, ['kind', 'values']);
  }
}
