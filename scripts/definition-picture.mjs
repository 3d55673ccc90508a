/**
 * Counts what layers cost, as docs/definition.md does, and draws it. Usage: node scripts/definition-picture.mjs [docs/images]
 */
import { join } from 'node:path';
import { countOperations, nn, ops, pathLengths, tensor } from 'heddle';
import { draw } from './performance/draw.mjs';

const [, , folder = 'docs/images'] = process.argv;
const width = 64;
const size = 3; // of the kernels

const rows = (n, columns) => tensor(new Float32Array(n * columns), [n, columns]);
const sequence = (n) => nn.pack([new Array(n).fill(0)]);
const weight = (columns) => new nn.Linear(columns, columns, { bias: false }).weight;

const selfAttention = (x, n, columns) =>
  new nn.MultiHeadAttention({ dModel: columns, numHeads: 1, bias: false }).forward(x, sequence(n));
const convolution = (x, n, columns) =>
  new nn.Convolution(columns, columns, size).forward(x, sequence(n));
function recurrent(x, n, columns) {
  const [W, U] = [weight(columns), weight(columns)];
  const read = ops.linear(x, W);
  let state;
  for (let i = 0; i < n; i++) {
    const here = ops.embedding(read, tensor(Int32Array.of(i)));
    state = ops.tanh(state ? ops.add(ops.linear(state, U), here) : here);
  }
  return state;
}
const kinds = { 'self-attention': selfAttention, recurrent, convolutional: convolution };

const counted = [];
for (let n = 4; n <= 1024; n *= 2) {
  for (const [kind, layer] of Object.entries(kinds)) {
    const x = rows(n, width);
    counted.push({ kind, n, ...countOperations(layer(x, n, width)) });
  }
}
/** From the first position to the last, through as many layers as that takes. */
const paths = [];
for (let n = 2; n <= 24; n += 2) {
  for (const [kind, layer] of Object.entries(kinds)) {
    const x = rows(n, 2);
    let y = x;
    let length = Infinity;
    while (length === Infinity) {
      y = layer(y, n, 2);
      length = pathLengths(y, x).at(-1)[0];
    }
    paths.push({ kind, n, length });
  }
}

const kind = {
  field: 'kind',
  type: 'nominal',
  sort: Object.keys(kinds),
  scale: { domain: Object.keys(kinds), range: ['#0b6e4f', '#d55e00', '#0072b2'] },
  legend: { orient: 'top' },
};
const logarithmic = { type: 'log', base: 2 };
const panel = (values, x, y) => ({
  width: 220,
  height: 220,
  data: { values },
  mark: { type: 'line', strokeWidth: 1.6, point: { size: 20, filled: true } },
  encoding: {
    x: { field: 'n', type: 'quantitative', title: 'positions n', ...x },
    y: { type: 'quantitative', ...y },
    color: kind,
    strokeDash: {
      ...kind,
      scale: {
        domain: kind.scale.domain,
        range: [
          [1, 0],
          [6, 3],
          [2, 2],
        ],
      },
    },
  },
});
const powers = { scale: logarithmic, axis: { values: [4, 16, 64, 256, 1024] } };
await draw(
  join(folder, 'layer-counts.svg'),
  {
    title: 'What a layer costs, counted in its graph',
    subtitle: [
      `width ${width}; self-attention with its projections; kernels of ${size};`,
      'paths from the first position to the last, through as many layers as that takes',
    ],
  },
  {
    hconcat: [
      panel(counted, powers, {
        field: 'flops',
        title: 'floating-point operations',
        scale: { type: 'log' },
        axis: { format: '.0e' },
      }),
      panel(counted, powers, {
        field: 'sequential',
        title: 'operations in sequence',
        scale: logarithmic,
      }),
      panel(paths, {}, { field: 'length', title: 'operations on the path' }),
    ],
  },
);
