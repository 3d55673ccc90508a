import * as ops from '../../lib/ops/index.js';
import { ints, type OpCase, type Random } from './op_case.js';

const labels = (rows: number, classes: number, random: Random) =>
  ints(Array.from({ length: rows }, () => random.integer(classes)));

const lossCases: OpCase[] = [
  [1, 1, 0],
  [9, 17, 0.1],
  [40, 1000, 0],
  [3, 33, 1],
].map(([rows = 0, classes = 0, smoothing = 0]) => ({
  op: 'crossEntropy',
  name: `${rows}×${classes}, smoothing ${smoothing}`,
  build: (r: Random) =>
    ops.crossEntropy(r.tensor([rows, classes], 20), labels(rows, classes, r), { smoothing }),
}));

/** Classes that blocks divide, that they do not, and all of them in one. */
const blockCases: OpCase[] = [
  [3, 5, 12, 4, 0],
  [9, 33, 17, 7, 0.1],
  [40, 6, 1000, 300, 0],
  [2, 3, 5, 9, 1],
].map(([rows = 0, width = 0, classes = 0, block = 0, smoothing = 0]) => ({
  op: 'crossEntropyOfParts',
  name: `${rows}×${width}, ${classes} classes by ${block}, smoothing ${smoothing}`,
  build: (r: Random) =>
    ops.linearCrossEntropy(
      r.tensor([rows, width], 3),
      r.tensor([classes, width], 3),
      labels(rows, classes, r),
      { block, smoothing, ...(smoothing === 0 ? {} : { bias: r.tensor([classes], 5) }) },
    ),
}));

const dropoutCases: OpCase[] = [
  [1, 0.5],
  [67, 0.1],
  [9001, 0.9],
  [10, 0],
].map(([columns = 0, rate = 0]) => ({
  op: 'dropout',
  name: `3×${columns} at ${rate}`,
  build: (r: Random) => {
    const [seed, step] = [ints([2 ** 31 - 1]), ints([1234567])];
    return ops.dropout(r.tensor([3, columns]), { rate, site: 7, seed, step });
  },
}));

/** Shapes that are no whole number of vectors, and one of several spans. */
const shapes = [[1], [3, 7], [13, 1000]];

const stepCases: OpCase[] = shapes.flatMap((shape) => {
  const rates = (r: Random) => ops.scale(r.tensor([3]), 0.1, 1);
  const squares = (r: Random) => ops.scale(r.tensor(shape), 0.5, 0.6);
  return [
    {
      op: 'sumOfSquares',
      name: `${shape}`,
      build: (r: Random) => ops.sumOfSquares(r.tensor(shape)),
    },
    {
      op: 'clipFactor',
      name: `${shape}`,
      build: (r: Random) => ops.clipFactor(ops.sumOfSquares(r.tensor(shape, 9)), 1.5),
    },
    ...([1, 2] as const).map((order) => ({
      op: 'moment',
      name: `${shape}, order ${order}`,
      build: (r: Random) => {
        const factor = order === 1 ? r.tensor([1]) : undefined;
        return ops.moment(r.tensor(shape), r.tensor(shape), {
          keep: 0.9,
          take: 0.1,
          order,
          factor,
        });
      },
    })),
    {
      op: 'descend',
      name: `${shape}, over a root`,
      build: (r: Random) =>
        ops.descend(r.tensor(shape), r.tensor(shape), rates(r), {
          squares: squares(r),
          epsilon: 0.01,
          weightDecay: 0.1,
        }),
    },
    {
      op: 'descend',
      name: `${shape}, by signs`,
      build: (r: Random) =>
        ops.descend(r.tensor(shape), r.tensor(shape), rates(r), { sign: true, weightDecay: 0.1 }),
    },
  ];
});

export const trainingCases: readonly OpCase[] = [
  ...lossCases,
  ...blockCases,
  ...dropoutCases,
  ...stepCases,
];
