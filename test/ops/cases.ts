/**
 * One table for each op: the cases that its native kernel is compared on with the float64 definition, and that
 * bench/ops measures.
 */

import { storeAs } from '../../lib/checkpoints/dtype.js';
import { State } from '../../lib/graph/state.js';
import { stateTensor, type Tensor, tensor } from '../../lib/graph/tensor.js';
import type { NativeDType } from '../../lib/native.js';
import * as ops from '../../lib/ops/index.js';

export interface OpCase {
  op: string;
  name: string;
  build: (random: Random) => Tensor;
  /** |native − reference| ≤ absolute + relative·|reference|. Left out: 1e-5 and 1e-5. */
  absolute?: number;
  relative?: number;
}

/** Numbers that look random and are the same every time: a 32-bit counter, scrambled (MurmurHash3's finaliser). */
export class Random {
  private counter: number;
  constructor(seed: number) {
    this.counter = Math.imul(seed + 1, 0x9e3779b9);
  }

  /** Uniform in [−1, 1). */
  next(): number {
    this.counter = (this.counter + 0x6d2b79f5) | 0;
    let bits = this.counter;
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 31 - 1;
  }

  values(count: number, scale = 1): Float32Array {
    return Float32Array.from({ length: count }, () => this.next() * scale);
  }

  integer(bound: number): number {
    return Math.min(bound - 1, Math.floor(((this.next() + 1) / 2) * bound));
  }

  tensor(shape: number[], scale = 1): Tensor {
    return tensor(
      this.values(
        shape.reduce((a, b) => a * b, 1),
        scale,
      ),
      shape,
    );
  }

  /** A parameter in native memory, in the dtype given. */
  state(shape: number[], dtype: Exclude<NativeDType, 'int32'> = 'float32', scale = 1): Tensor {
    const values = this.values(
      shape.reduce((a, b) => a * b, 1),
      scale,
    );
    const data = storeAs(dtype, Float64Array.from(values));
    return stateTensor(new State('parameter', shape, dtype, { kind: 'data', data }));
  }
}

const ints = (values: readonly number[]): Tensor => tensor(Int32Array.from(values));

/** Row offsets of segments of these lengths. */
const offsetsOf = (lengths: readonly number[]): number[] =>
  [0, ...lengths].map((_, i) => sum(lengths.slice(0, i)));
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

const linearShapes: [number, number, number][] = [
  [1, 1, 1],
  [1, 384, 1536],
  [2, 7, 5],
  [3, 64, 17],
  [6, 33, 16],
  [7, 384, 31],
  [13, 400, 65],
  [64, 100, 130],
  [129, 771, 96],
];

const linearCases: OpCase[] = linearShapes.flatMap(([m, k, n]) => [
  {
    op: 'linear',
    name: `${m}×${k}×${n}`,
    build: (r: Random) => ops.linear(r.tensor([m, k]), r.state([n, k])),
    absolute: 1e-6 * k,
  },
  ...(['float16', 'bfloat16', 'int8'] as const).map((dtype) => ({
    op: 'linear',
    name: `${m}×${k}×${n} ${dtype}, bias, gelu, residual`,
    build: (r: Random) => {
      const y = ops.linear(r.tensor([m, k]), r.state([n, k], dtype), r.state([n]));
      return ops.add(ops.gelu(y), r.tensor([m, n]));
    },
    absolute: 1e-6 * k,
  })),
  {
    op: 'linear',
    name: `${m}×${k}×${n} bfloat16 activations`,
    build: (r: Random) =>
      ops.linear(r.tensor([m, k]), r.state([n, k], 'bfloat16'), undefined, {
        compute: 'bfloat16' as const,
      }),
    absolute: 1e-6 * k,
  },
]);

/** Multiplied by the identity, which int8 holds exactly, quantised rows come back as the numbers that they stand for. */
const quantizeCases: OpCase[] = [1, 2, 17, 100].map((columns) => ({
  op: 'quantizeRows',
  name: `6×${columns}`,
  build: (r: Random) => {
    const data = new Float32Array(columns * columns);
    for (let i = 0; i < columns; i++) data[i * columns + i] = 1;
    const identity = new State('identity', [columns, columns], 'int8', { kind: 'data', data });
    return ops.linear(r.tensor([6, columns], 5), stateTensor(identity));
  },
}));

const activationCases: OpCase[] = (
  ['relu', 'gelu', 'geluTanh', 'silu', 'tanh', 'sigmoid', 'quickGelu'] as const
).flatMap((kind) => [
  {
    op: 'activation',
    name: kind,
    build: (r: Random) => ops.activation(r.tensor([5, 37], 6), kind),
  },
  {
    op: 'linear',
    name: `with ${kind}`,
    build: (r: Random) =>
      ops.activation(ops.linear(r.tensor([9, 20]), r.state([21, 20], 'float32', 2)), kind),
  },
  {
    op: 'activation',
    name: `${kind} of extremes`,
    build: () =>
      ops.activation(
        tensor(Float32Array.of(0, -0, 1e-30, -1e-30, 20, -20, 90, -90, 1e4, -1e4, 3e38, -3e38)),
        kind,
      ),
  },
]);

const matmulCases: OpCase[] = [
  [1, 1, 1],
  [5, 9, 7],
  [17, 130, 33],
  [70, 64, 96],
].flatMap(([m, k, n]) =>
  [0, 1, 2, 3].map((flags) => ({
    op: 'matmul',
    name: `${m}×${k}×${n} ${['', 'Aᵀ', 'Bᵀ', 'Aᵀ Bᵀ'][flags]}`,
    build: (r: Random) => {
      const [transposeA, transposeB] = [(flags & 1) > 0, (flags & 2) > 0];
      const a = r.tensor(transposeA ? [k, m] : [m, k]);
      const b = r.tensor(transposeB ? [n, k] : [k, n]);
      return ops.matmul(a, b, { transposeA, transposeB });
    },
    absolute: 1e-6 * k,
  })),
);

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

const attentionCases: OpCase[] = attentionTable.flatMap(
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

const shapes: [number, number][] = [
  [1, 1],
  [3, 7],
  [5, 33],
  [40, 384],
  [2, 1000],
];

const normCases: OpCase[] = shapes.flatMap(([rows, columns]) => [
  {
    op: 'layerNorm',
    name: `${rows}×${columns}`,
    build: (r: Random) =>
      ops.layerNorm(r.tensor([rows, columns], 3), r.state([columns]), r.state([columns]), 1e-5),
  },
  {
    op: 'layerNorm',
    name: `${rows}×${columns} without gain, far from zero`,
    build: (r: Random) =>
      ops.layerNorm(ops.scale(r.tensor([rows, columns]), 1, 50), undefined, undefined, 1e-5),
    absolute: 2e-4,
  },
  {
    op: 'rmsNorm',
    name: `${rows}×${columns}`,
    build: (r: Random) => ops.rmsNorm(r.tensor([rows, columns], 3), r.state([columns]), 1e-6, 1),
  },
  {
    op: 'softmax',
    name: `${rows}×${columns}`,
    build: (r: Random) => ops.softmax(r.tensor([rows, columns], 10)),
  },
  {
    op: 'softmax',
    name: `${rows}×${columns}, t = −0.5`,
    build: (r: Random) => ops.softmax(r.tensor([rows, columns], 10), { t: -0.5 }),
  },
  {
    op: 'l2Normalize',
    name: `${rows}×${columns}`,
    build: (r: Random) => ops.l2Normalize(r.tensor([rows, columns], 3)),
  },
  {
    op: 'add',
    name: `${rows}×${columns}`,
    build: (r: Random) => ops.add(r.tensor([rows, columns]), r.tensor([rows, columns])),
  },
  {
    op: 'multiply',
    name: `${rows}×${columns} by a row`,
    build: (r: Random) => ops.multiply(r.tensor([rows, columns]), r.tensor([columns])),
  },
  {
    op: 'scale',
    name: `${rows}×${columns}`,
    build: (r: Random) => ops.scale(r.tensor([rows, columns]), -1.5, 0.25),
  },
]);

const embeddingCases: OpCase[] = (['float32', 'float16', 'bfloat16', 'int8'] as const).flatMap(
  (dtype) =>
    [1, 9, 384].map((columns) => ({
      op: 'embedding',
      name: `${dtype}, ${columns} columns, plus a residual`,
      build: (r: Random) => {
        const ids = ints(Array.from({ length: 20 }, () => r.integer(50)));
        return ops.add(
          ops.embedding(r.state([50, columns], dtype), ids, { scale: 3 }),
          r.tensor([20, columns]),
        );
      },
    })),
);

const poolCases: OpCase[] = (
  ['mean', 'first', 'last', 'max', 'meanSqrtLength', 'weightedMean'] as const
).map((mode) => ({
  op: 'pool',
  name: `${mode}, an empty segment`,
  build: (r: Random) => {
    const lengths = [3, 0, 1, 40];
    return ops.pool(r.tensor([sum(lengths), 37]), ints(offsetsOf(lengths)), lengths.length, mode);
  },
}));

const biasCases: OpCase[] = [true, false].map((bidirectional) => ({
  op: 'relativeBias',
  name: bidirectional ? 'bidirectional' : 'one direction',
  build: (r: Random) => ops.relativeBias(r.state([32, 5]), { bidirectional, maxDistance: 128 }),
}));

/** Angles of `rows` positions, `step` apart. */
function angles(rows: number, step: number, half: number): Tensor {
  const data = Array.from({ length: rows * 2 * half }, (_, at) => {
    const [row, column] = [Math.floor(at / (2 * half)), at % (2 * half)];
    const angle = row * step * 10000 ** (-(column % half) / half);
    return column < half ? Math.cos(angle) : Math.sin(angle);
  });
  return tensor(Float32Array.from(data), [rows, 2 * half]);
}

const rotaryCases: OpCase[] = (
  [
    [7, 1, 2, 1],
    [30, 3, 12, 6],
    [33, 4, 20, 5],
    [100, 2, 64, 32],
  ] as const
).map(([rows, heads, size, half]) => ({
  op: 'rope',
  name: `${rows} rows, ${heads} heads of ${size}, ${2 * half} of them turned`,
  build: (r: Random) => {
    const positions = ints(Array.from({ length: rows }, () => r.integer(64 * 1000)));
    const tables = { fine: angles(64, 1, half), coarse: angles(1000, 64, half) };
    return ops.rope(r.tensor([rows, heads * size], 2), positions, { heads, tables });
  },
}));

export const opCases: readonly OpCase[] = [
  ...linearCases,
  ...quantizeCases,
  ...activationCases,
  ...matmulCases,
  ...attentionCases,
  ...normCases,
  ...embeddingCases,
  ...poolCases,
  ...biasCases,
  ...rotaryCases,
];
