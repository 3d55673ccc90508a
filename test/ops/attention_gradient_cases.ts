import type { Tensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';
import type { GradientCase } from './gradient_cases.js';
import { ints, offsetsOf, type Random } from './op_case.js';

export const bounds = ints(offsetsOf([5, 0, 1, 7]));
export const rows = 13;
export const places = ints([4, 0, 2, 1, 3, 9, 0, 1, 2, 3, 5, 4, 6]);

interface Attention {
  name: string;
  /** Of further inputs, which `options` is given. */
  more?: number[][];
  heads?: number;
  keyHeads?: number;
  size?: number;
  valueSize?: number;
  rows?: number;
  segments?: number[];
  options?:
    | Partial<ops.AttentionOptions>
    | ((random: Random, more: Tensor[]) => Partial<ops.AttentionOptions>);
}

const attention = ({
  name,
  heads = 2,
  keyHeads = heads,
  size = 3,
  valueSize = size,
  rows = 13,
  segments = offsetsOf([5, 0, 1, 7]),
  more = [],
  options = {},
}: Attention): GradientCase => ({
  name: `attention, ${name}`,
  ops: ['attentionGradient', ...(more.length > 0 ? ['attentionBiasGradient'] : [])],
  shapes: [[rows, heads * size], [rows, keyHeads * size], [rows, keyHeads * valueSize], ...more],
  scale: 2,
  build: ([q, k, v, ...rest], random) =>
    ops.attention(q as Tensor, k as Tensor, v as Tensor, {
      heads,
      keyHeads,
      segments: ints(segments),
      ...(typeof options === 'function' ? options(random, rest) : options),
    }),
});

/** Distances from −reach to reach in buckets, the far ones sharing. */
const bucketsUpTo = (reach: number): Tensor =>
  ints(
    Array.from(
      { length: 2 * reach + 1 },
      (_, i) => Math.trunc(Math.cbrt(i - reach) * 2) + 2 * reach,
    ),
  );

/** Scores that depend on positions through tables that are trained, or only through one of them. */
const disentangled = (
  reach: number,
  options: Partial<ops.AttentionOptions> = {},
  tables: { keys?: boolean; queries?: boolean } = {},
): Attention['options'] => {
  const { keys = true, queries = true } = tables;
  return (_, more) => ({
    ...options,
    bias: {
      kind: 'disentangled',
      relativeKeys: keys ? more[0] : undefined,
      relativeQueries: queries ? more.at(-1) : undefined,
      buckets: bucketsUpTo(reach),
    },
  });
};

/** A bias that is trained. */
const biased =
  (kind: 'relative' | 'dense', options: Partial<ops.AttentionOptions> = {}): Attention['options'] =>
  (_, [values]) => ({ ...options, bias: { kind, values: values as Tensor } });

const dropout = { rate: 0.3, site: 12, seed: ints([7]), step: ints([3]) };

/** With more than one tile of queries, block of keys and register tile. */
export const largeAttentionCases: readonly GradientCase[] = [
  ...[
    { name: 'causal', options: { causal: true } },
    { name: 'grouped heads', heads: 6, keyHeads: 2, options: { causal: true } },
    { name: 'a window', options: { window: { left: 70, right: 5 } } },
    { name: 'wide heads', heads: 1, size: 65, valueSize: 33 },
    { name: 'dropout', options: { causal: true, dropout } },
    { name: 'a relative bias', more: [[2, 101]], options: biased('relative', { dropout }) },
    { name: 'a dense bias', more: [[2, 200, 200]], options: biased('dense', { causal: true }) },
    {
      name: 'a disentangled bias',
      more: [
        [90, 32],
        [90, 32],
      ],
      options: disentangled(20, { dropout }),
    },
    {
      name: 'a disentangled bias of a window',
      more: [
        [170, 32],
        [170, 32],
      ],
      options: disentangled(40, { window: { left: 70, right: 5 } }),
    },
  ].map((options) =>
    attention({ size: 16, rows: 333, segments: offsetsOf([200, 1, 132]), ...options }),
  ),
];

export const attentionGradientCases: readonly GradientCase[] = [
  attention({ name: 'plain' }),
  attention({ name: 'causal', options: { causal: true } }),
  attention({ name: 'wider values', valueSize: 5 }),
  attention({ name: 'grouped heads', heads: 4, keyHeads: 2, options: { causal: true } }),
  attention({
    name: 'a window of positions',
    options: { positions: places, window: { left: 2, right: 1 } },
  }),
  attention({ name: 'soft-cap', options: { softCap: 1.5, causal: true } }),
  attention({
    name: 'soft-cap and a constant bias',
    options: (random) => ({
      softCap: 1.5,
      bias: { kind: 'relative', values: random.tensor([2, 7]) },
    }),
  }),
  attention({
    name: 'a constant dense bias',
    options: (random) => ({
      positions: places,
      bias: { kind: 'dense', values: random.tensor([1, 10, 10]) },
    }),
  }),
  attention({ name: 'a relative bias', more: [[2, 7]], options: biased('relative') }),
  attention({
    name: 'a relative bias, soft-cap, grouped heads, positions',
    heads: 4,
    keyHeads: 2,
    more: [[4, 5]],
    options: biased('relative', { softCap: 1.5, positions: places, window: { left: 4 } }),
  }),
  attention({
    name: 'a dense bias',
    more: [[2, 10, 10]],
    options: biased('dense', { positions: places }),
  }),
  attention({
    name: 'a dense bias of all heads and queries',
    heads: 4,
    keyHeads: 2,
    more: [[1, 1, 10]],
    options: biased('dense', { causal: true }),
  }),
  attention({
    name: 'a disentangled bias',
    more: [
      [20, 6],
      [20, 6],
    ],
    options: disentangled(6),
  }),
  attention({
    name: 'a disentangled bias by keys, in a window',
    more: [[12, 6]],
    options: disentangled(3, { window: { left: 3, right: 1 } }, { queries: false }),
  }),
  attention({
    name: 'a disentangled bias by queries, with positions',
    more: [[20, 6]],
    options: disentangled(6, { positions: places }, { keys: false }),
  }),
  attention({ name: 'dropout', options: { dropout } }),
  attention({
    name: 'dropout, soft-cap, grouped heads, a relative bias',
    heads: 4,
    keyHeads: 2,
    valueSize: 5,
    more: [[4, 7]],
    options: biased('relative', { dropout, softCap: 1.5, causal: true }),
  }),
  attention({
    name: 'dropout and a disentangled bias',
    more: [
      [20, 6],
      [20, 6],
    ],
    options: disentangled(6, { dropout }),
  }),
];
