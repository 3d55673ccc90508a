/** Writes seeds for the fuzz targets: `node seeds.mjs FOLDER` fills FOLDER/plan, …/file_range, …/convert. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { arena, input, output, planWords, state } from '../../test/native/plan_words.mjs';

// As native/kernels/table.inc lists them.
const kernels = [
  'linear',
  'matmul',
  'attention',
  'attentionWeights',
  'relativeBias',
  'layerNorm',
  'rmsNorm',
  'activation',
  'add',
  'multiply',
  'scale',
  'embedding',
  'softmax',
  'pool',
  'l2Normalize',
  'assign',
  'append',
];
const folder = process.argv[2];
const write = (target, name, bytes) => {
  mkdirSync(join(folder, target), { recursive: true });
  writeFileSync(join(folder, target, name), bytes);
};

/** The states of plan.cc, in order. */
const states = [
  { dims: [6, 4] },
  { dims: [4] },
  { dims: [6, 4], dtype: 'bfloat16' },
  { dims: [2, 5] },
  { dims: [1, 3, 3] },
].map((each, index) => ({ kind: state, index, ...each }));

/** A plan over the first `stateCount` states; `build` adds values and nodes, `tail` feeds the run. */
function plan(name, stateCount, capacities, tail, build) {
  const values = states.slice(0, stateCount);
  const nodes = [];
  const value = (kind, index, dims, dtype) => values.push({ kind, index, dims, dtype }) - 1;
  const node = (kernel, inputs, out, ints, floats) =>
    nodes.push({ kernel, in: inputs, out, ints, floats });
  build({ value, node });
  const words = planWords({ kernels, capacities, values, nodes, arenaBytes: 1024 });
  write(
    'plan',
    name,
    Buffer.concat([Buffer.of(words.length), Buffer.from(words.buffer), Buffer.from(tail)]),
  );
}

plan('gather', 2, [4], [3, 0, 5, 1], ({ value, node }) => {
  const ids = value(input, 0, [-1], 'int32');
  const rows = value(arena, 0, [-1, 4]);
  const normed = value(arena, 256, [-1, 4]);
  node('embedding', [0, ids, -1], rows, [], [1]);
  node('layerNorm', [rows, 1, -1], normed, [], [1e-5]);
  node('linear', [normed, 0, -1, -1], value(output, 0, [-1, 6]), [2, 0]);
});
plan('half', 3, [4], [2], ({ value, node }) => {
  const x = value(input, 0, [-1, 4]);
  node('linear', [x, 2, -1, -1], value(output, 0, [-1, 6]), [7, 1]);
});
plan('attention', 0, [4, 3], [3, 3, 0, 1, 3], ({ value, node }) => {
  const q = value(input, 0, [-1, 4]);
  const segments = value(input, 1, [-2], 'int32');
  const out = value(output, 0, [-1, 4]);
  node(
    'attention',
    [q, q, q, segments, segments, -1, -1, -1, -1, -1, -1],
    [out, -1],
    [2, 2, -1, 0, 0],
    [0.5, 0],
  );
});
plan('bias', 5, [4], [3, 0, 3, 0, 1, 2], ({ value, node }) => {
  const q = value(input, 0, [-1, 4]);
  const segments = value(input, 1, [2], 'int32');
  const positions = value(input, 2, [-1], 'int32');
  const out = value(output, 0, [-1, 4]);
  const shifted = value(arena, 0, [-1, 4]);
  const inputs = [q, q, q, segments, segments, positions, positions];
  node('attention', [...inputs, 4], [shifted, -1], [2, 1, -1, -1, 2], [0.5, 0]);
  node('attention', [shifted, ...inputs.slice(1), 3], [out, -1], [2, 2, 2, 2, 1], [0.5, 20]);
});
plan('weights', 0, [4, 9], [3, 9, 0, 3, 0, 9], ({ value, node }) => {
  const q = value(input, 0, [-1, 4]);
  const segments = value(input, 1, [2], 'int32');
  const pairs = value(input, 2, [2], 'int32');
  const out = value(output, 0, [2, -2]);
  node(
    'attentionWeights',
    [q, q, segments, segments, -1, -1, -1, pairs],
    out,
    [2, 2, -1, -1, 0],
    [1, 0],
  );
});
plan('pool', 0, [6, 4, 3], [4, 3, 2, 0, 1, 4], ({ value, node }) => {
  const x = value(input, 0, [-1, 5]);
  const segments = value(input, 1, [-2], 'int32');
  const pooled = value(arena, 0, [-3, 5]);
  node('pool', [x, segments], pooled, [5]);
  const out = value(output, 0, [-3, 5]);
  node('l2Normalize', [pooled], out, [], [1e-12]);
});
plan('states', 1, [4], [2, 3], ({ value, node }) => {
  const x = value(input, 0, [-1, 4]);
  const at = value(input, 1, [1], 'int32');
  const doubled = value(arena, 0, [6, 4]);
  node('scale', [0], doubled, [], [2, 0]);
  node('assign', [doubled, -1], 0);
  node('append', [x, at], 0);
});
plan('matmul', 0, [3], [3], ({ value, node }) => {
  const a = value(input, 0, [-1, 4]);
  const square = value(arena, 0, [-1, -1]);
  const scores = value(output, 0, [-1, -1]);
  node('matmul', [a, a], square, [0, 1]);
  node('softmax', [square], scores, [], [2]);
});
plan('relative', 0, [1], [1], ({ value, node }) => {
  const table = value(input, 0, [8, 2]);
  node('relativeBias', [table], value(output, 0, [2, 9]), [1, 16]);
});
plan('elementwise', 0, [3], [3], ({ value, node }) => {
  const x = value(input, 0, [-1, 5]);
  const row = value(input, 1, [5]);
  const a = value(arena, 0, [-1, 5]);
  node('rmsNorm', [x, row], a, [1], [1e-6, 1]);
  node('multiply', [a, row], a);
  node('activation', [a], a, [4]);
  node('add', [a, x], value(output, 0, [-1, 5]));
});

function range(name, { offset = 0, bytes, dims, from = 1, to = 0, form = 0 }) {
  const words = [offset, bytes, ...dims, 0, 0, 0, 0].slice(0, 6);
  const numbers = Buffer.from(BigInt64Array.from(words, BigInt).buffer);
  write('file_range', name, Buffer.concat([numbers, Buffer.of(dims.length, from, to, form)]));
}
range('plain', { bytes: 96, dims: [6, 4] });
range('packed', { offset: 8, bytes: 96, dims: [6, 4], form: 1 });
range('transposed', { bytes: 48, dims: [6, 4], from: 3, to: 2, form: 2 });
range('doubles', { bytes: 4096, dims: [512], from: 0, to: 3 });
range('scalar', { offset: 4092, bytes: 4, dims: [] });

for (let from = 0; from < 10; from++) {
  for (let to = 0; to < 4; to++) {
    const bytes = Uint8Array.from({ length: 66 }, (_, i) => (i * 89 + from * 7 + to) & 255);
    bytes.set([from, to]);
    write('convert', `${from}-${to}`, bytes);
  }
}
