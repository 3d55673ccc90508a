import type { Tensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';
import { ints, type OpCase, offsetsOf, type Random, sum } from './op_case.js';

interface AttentionCase {
  name: string;
  lengths: number[];
  keyLengths?: number[];
  heads: number;
  keyHeads?: number;
  size: number;
  options?: (r: Random) => Partial<ops.AttentionOptions>;
}

const attentionTable: AttentionCase[] = [
  { name: 'one row', lengths: [1], heads: 1, size: 1 },
  { name: 'ragged, an empty segment', lengths: [5, 0, 17, 1, 64, 65], heads: 3, size: 12 },
  { name: 'head size 5', lengths: [9, 30], heads: 2, size: 5 },
  { name: 'long, 64 wide', lengths: [200, 131], heads: 2, size: 64 },
  { name: 'grouped heads', lengths: [33, 70], heads: 6, keyHeads: 2, size: 16 },
  {
    name: 'cross, with an empty memory',
    lengths: [7, 40, 3],
    keyLengths: [90, 1, 0],
    heads: 2,
    size: 32,
  },
  { name: 'causal', lengths: [1, 67, 150], heads: 2, size: 24, options: () => ({ causal: true }) },
  {
    name: 'window',
    lengths: [130, 20],
    heads: 2,
    size: 16,
    options: () => ({ window: { left: 9, right: 4 } }),
  },
  {
    name: 'causal window',
    lengths: [190],
    heads: 1,
    size: 16,
    options: () => ({ causal: true, window: { left: 70 } }),
  },
  {
    name: 'soft-cap and scale',
    lengths: [50],
    heads: 2,
    size: 16,
    options: () => ({ softCap: 5, scale: 1.5 }),
  },
  {
    name: 'relative bias',
    lengths: [40, 150],
    heads: 2,
    size: 16,
    options: (r) => ({ bias: { kind: 'relative', values: r.tensor([2, 2 * 20 + 1]) } }),
  },
  {
    name: 'relative bias, positions with gaps, causal',
    lengths: [40, 30],
    heads: 2,
    size: 8,
    options: (r) => {
      const positions = ints(
        [40, 30].flatMap((n) => Array.from({ length: n }, (_, i) => 3 * i + (i % 2))),
      );
      const bias = { kind: 'relative' as const, values: r.tensor([2, 2 * 50 + 1]) };
      return { positions, bias, causal: true };
    },
  },
  {
    name: 'dense bias',
    lengths: [20, 33],
    heads: 3,
    size: 8,
    options: (r) => ({ bias: { kind: 'dense', values: r.tensor([3, 33, 33]) } }),
  },
  {
    name: 'dense bias for all heads',
    lengths: [20, 70],
    heads: 3,
    size: 8,
    options: (r) => ({ bias: { kind: 'dense', values: r.tensor([1, 70, 70]) } }),
  },
];

for (const rate of [0.1, 0.6]) {
  attentionTable.push({
    name: `dropout of ${rate}`,
    lengths: [5, 0, 1, 200, 64],
    heads: 4,
    keyHeads: 2,
    size: 12,
    options: () => ({
      causal: rate > 0.5,
      dropout: { rate, site: 2 ** 31 - 1, seed: ints([2 ** 31 - 1]), step: ints([1234567]) },
    }),
  });
}

/** Distances up to `reach` in buckets that widen away from 0, as DeBERTa's do; the nearest `exact` of each side alone. */
const widening = (reach: number, exact: number): number[] =>
  Array.from({ length: 2 * reach + 1 }, (_, i) => {
    const distance = reach - i;
    const far = Math.abs(distance);
    return Math.sign(distance) * (far < exact ? far : exact + Math.floor(Math.log2(far / exact)));
  });

for (const [name, lengths, change] of [
  ['', [1, 20, 150], {}],
  [', keys only', [30, 5], { relativeQueries: undefined }],
  [
    ', queries only, a window',
    [70, 9],
    { relativeKeys: undefined, window: { left: 20, right: 7 } },
  ],
  [', positions with gaps', [40, 66], { gaps: 9 }],
  [', distances beyond the table', [100], { reach: 11 }],
] as const) {
  const {
    reach = 160,
    gaps = 0,
    window,
    ...terms
  } = change as Record<string, number> & Pick<ops.AttentionOptions, 'window'>;
  attentionTable.push({
    name: `disentangled${name}`,
    lengths: [...lengths],
    heads: 2,
    size: 12,
    options: (r) => {
      const indices = widening(reach, 6);
      const least = Math.min(...indices);
      const buckets = ints(indices.map((index) => index - least));
      const table = (): Tensor => r.tensor([Math.max(...indices) - least + 1, 24], 2);
      const positions = ints(
        lengths.flatMap((n) => Array.from({ length: n }, (_, i) => i + Math.floor(i / 8) * gaps)),
      );
      const relative = { relativeKeys: table(), relativeQueries: table(), ...terms };
      return {
        bias: { kind: 'disentangled', ...relative, buckets },
        ...(gaps ? { positions } : {}),
        ...(window ? { window } : {}),
      };
    },
  });
}

/** Cases of `attention` and, with the same operands, of `attentionWeights`. */
export const attentionCases: OpCase[] = attentionTable.flatMap(
  ({ name, lengths, keyLengths = lengths, heads, keyHeads = heads, size, options }) => {
    const operands = (r: Random) => {
      const q = r.tensor([sum(lengths), heads * size], 2);
      const k = r.tensor([sum(keyLengths), keyHeads * size], 2);
      const segments = ints(offsetsOf(lengths));
      const keySegments = keyLengths === lengths ? segments : ints(offsetsOf(keyLengths));
      return { q, k, options: { heads, keyHeads, segments, keySegments, ...options?.(r) } };
    };
    return [
      {
        op: 'attention',
        name,
        build: (r: Random) => {
          const { q, k, options: chosen } = operands(r);
          return ops.attention(q, k, r.tensor([sum(keyLengths), keyHeads * size]), chosen);
        },
      },
      {
        op: 'attentionWeights',
        name,
        build: (r: Random) => {
          const { q, k, options: chosen } = operands(r);
          const pairs = offsetsOf(lengths.map((length, i) => length * keyLengths[i]));
          return ops.attentionWeights(q, k, ints(pairs), pairs.at(-1) ?? 0, chosen);
        },
      },
    ];
  },
);
