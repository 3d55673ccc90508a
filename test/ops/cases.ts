/**
 * One table for each op: the cases that its native kernel is compared on with the float64 definition, and that
 * bench/ops measures.
 */

import { State } from '../../lib/graph/state.js';
import { stateTensor, type Tensor, tensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';
import { attentionCases } from './attention_cases.js';
import { ints, type OpCase, offsetsOf, type Random, sum } from './op_case.js';
import { trainingCases } from './training_cases.js';

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
  ...(['float16', 'bfloat16', 'int8', 'int4'] as const).map((dtype) => ({
    op: 'linear',
    name: `${m}×${k}×${n} ${dtype}, bias, gelu, residual`,
    build: (r: Random) => {
      const y = ops.linear(r.tensor([m, k]), r.state([n, k], dtype), r.state([n]));
      return ops.add(ops.gelu(y), r.tensor([m, n]));
    },
    absolute: 1e-6 * k,
  })),
  ...(['float32', 'bfloat16'] as const).map((dtype) => ({
    op: 'linear',
    name: `${m}×${k}×${n} bfloat16 products, ${dtype} weight, bias, gelu, residual`,
    build: (r: Random) => {
      const compute = 'bfloat16' as const;
      const y = ops.linear(r.tensor([m, k]), r.state([n, k], dtype), r.state([n]), { compute });
      return ops.add(ops.gelu(y), r.tensor([m, n]));
    },
    absolute: 1e-6 * k,
  })),
]);

/** Multiplied by the identity, which int8 and int4 hold exactly, quantised rows come back as the numbers they stand for. */
const quantizeCases: OpCase[] = [1, 2, 17, 32, 100].flatMap((columns) =>
  (
    [
      ['quantizeRows', 'int8'],
      ['quantizeBlocks', 'int4'],
    ] as const
  ).map(([op, dtype]) => ({
    op,
    name: `6×${columns}`,
    build: (r: Random) => {
      const data = new Float32Array(columns * columns);
      for (let i = 0; i < columns; i++) data[i * columns + i] = 1;
      const identity = new State('identity', [columns, columns], dtype, { kind: 'data', data });
      return ops.linear(r.tensor([6, columns], 5), stateTensor(identity));
    },
  })),
);

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
    op: 'multiplyAdd',
    name: `${rows}×${columns}`,
    build: (r: Random) => ops.multiplyAdd(r.tensor([rows, columns]), columns),
  },
  {
    op: 'sumRows',
    name: `${rows}×${columns}`,
    build: (r: Random) => ops.sumRows(r.tensor([rows, columns])),
    absolute: 1e-6 * columns,
  },
  {
    op: 'argmax',
    name: `${rows}×${columns}`,
    build: (r: Random) => ops.argmax(r.tensor([rows, columns], 3)),
  },
  {
    op: 'logitBlocks',
    name: `${rows}×${columns}`,
    build: (r: Random) =>
      ops.logitBlocks(r.tensor([rows, columns], 10), ops.scale(r.tensor([rows]), 0.4, 1)),
  },
  ...[1, -0.5].map((t) => ({
    op: 'softmax',
    name: `${rows}×${columns}, t = ${t}`,
    build: (r: Random) => ops.softmax(r.tensor([rows, columns], 10), { t }),
  })),
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

const unfoldCases: OpCase[] = [1, 3, 5].map((size) => ({
  op: 'unfold',
  name: `${size} rows, positions with gaps, an empty segment`,
  build: (r: Random) => {
    const lengths = [7, 0, 1, 30];
    const positions = ints(
      lengths.flatMap((n) => Array.from({ length: n }, (_, i) => i + Math.floor(i / 5))),
    );
    return ops.unfold(r.tensor([38, 9]), { size, positions, segments: ints(offsetsOf(lengths)) });
  },
}));

const columnCases: OpCase[] = [
  { first: 0, step: 9, size: 9, count: 1 },
  { first: 3, step: 10, size: 4, count: 3 },
  { first: 1, step: 1, size: 1, count: 29 },
].map((blocks) => ({
  op: 'columns',
  name: `${blocks.count} blocks of ${blocks.size}`,
  build: (r: Random) => ops.columns(r.tensor([7, 30]), blocks),
}));

const headNormCases: OpCase[] = [
  [1, 3, 4],
  [5, 9, 64],
].map(([rows, heads, size]) => ({
  op: 'rmsNorm',
  name: `${heads} heads of ${size} in ${rows} rows`,
  build: (r: Random) =>
    ops.rmsNorm(r.tensor([rows, heads * size], 3), r.state([size]), 1e-6, 0, heads),
}));

const ropeVariantCases: OpCase[] = [2, 3].map((variants) => ({
  op: 'rope',
  name: `${variants} variants of the angles`,
  build: (r: Random) => {
    const positions = ints(Array.from({ length: 9 }, () => r.integer(16 * 10 * variants)));
    const tables = { fine: r.tensor([16 * variants, 6]), coarse: r.tensor([10 * variants, 6]) };
    return ops.rope(r.tensor([9, 14]), positions, { heads: 2, tables: { ...tables, variants } });
  },
}));

/** Three sequences of 70, 600 and 3 positions, whose pages lie in no order; the last rows of each are queries. */
const pagedCases: OpCase[] = (['float32', 'bfloat16', 'int8'] as const).flatMap((dtype) =>
  [
    { name: 'next tokens', rows: [1, 1, 1], split: true, softCap: 0 },
    { name: 'prompts in a window', rows: [70, 9, 0], split: false, softCap: 3, window: 20 },
    { name: 'by position', rows: [1, 3, 2], split: true, softCap: 0, biased: true },
  ].map(({ name, rows, split, softCap, window, biased = false }) => ({
    op: 'pagedAttention',
    name: `${name}, ${dtype}`,
    build: (r: Random) => {
      const [heads, keyHeads, size] = [4, 2, 12];
      const lengths = [70, 600, 3];
      const pages = [2, 10, 1];
      const tables = [5, 0, 12, 11, 10, 9, 8, 7, 6, 4, 3, 2, 1];
      const slots = lengths.flatMap((length, s) =>
        Array.from(
          { length },
          (_, i) => tables[sum(pages.slice(0, s)) + Math.floor(i / 64)] * 64 + (i % 64),
        ),
      );
      const cache = (kind: 'keys' | 'values'): Tensor => {
        const shape = [13 * keyHeads * 64, size];
        const state = stateTensor(new State(kind, shape, dtype, { kind: 'zeros' }));
        const source = r.tensor([slots.length, keyHeads * size]);
        return ops.appendPages(state, source, ints(slots), { heads: keyHeads, kind });
      };
      const parts = lengths.flatMap((length, s) =>
        new Array<number>(rows[s]).fill(split ? Math.ceil(length / 512) : 1),
      );
      const where = {
        segments: ints(offsetsOf(rows)),
        lengths: ints(lengths),
        tableOffsets: ints(offsetsOf(pages)),
        tables: ints(tables),
        partOffsets: ints(offsetsOf(parts)),
        parts: sum(parts),
      };
      const bias = biased ? r.tensor([heads, 1, 600]) : undefined;
      const options = { heads, keyHeads, scale: 0.5, softCap, window, bias };
      const q = r.tensor([sum(rows), heads * size]);
      return ops.pagedAttention(q, cache('keys'), cache('values'), where, options);
    },
  })),
);

const mixtureCases: OpCase[] = (
  ['float32', 'float16', 'bfloat16', 'int8', 'int4'] as const
).flatMap((dtype) =>
  [
    { rows: 1, experts: 3, chosen: 1, width: 5, normalised: false },
    { rows: 40, experts: 5, chosen: 2, width: 33, normalised: true },
    { rows: 200, experts: 8, chosen: 3, width: 400, normalised: false },
  ].flatMap(({ rows, experts, chosen, width, normalised }) => {
    const name = `${chosen} of ${experts} for ${rows} rows, ${dtype}`;
    const options = { experts, chosen };
    const build = (r: Random): { y: Tensor; routing: Tensor } => {
      const routing = ops.routeExperts(r.tensor([rows, experts], 3), { chosen, normalised });
      const inner = ops.linearExperts(
        r.tensor([rows, width]),
        routing,
        r.state([experts * 7, width], dtype),
        { ...options, gather: true },
      );
      const weight = r.state([experts * 19, 7], dtype);
      return {
        y: ops.linearExperts(inner, routing, weight, { ...options, gather: false }),
        routing,
      };
    };
    const absolute = 1e-6 * width * 7;
    return [
      { op: 'routeExperts', name, build: (r: Random) => build(r).routing },
      { op: 'linearExperts', name, build: (r: Random) => build(r).y, absolute },
      {
        op: 'joinExperts',
        name,
        absolute,
        build: (r: Random) => {
          const { y, routing } = build(r);
          return ops.joinExperts(y, routing, { chosen });
        },
      },
    ];
  }),
);

export const opCases: readonly OpCase[] = [
  ...mixtureCases,
  ...pagedCases,
  ...columnCases,
  ...headNormCases,
  ...ropeVariantCases,
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
  ...unfoldCases,
  ...trainingCases,
];
