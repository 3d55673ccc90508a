/**
 * Draws every positional encoding from the library's own layers. Usage, after `npx tsdown`:
 * node scripts/position-pictures.mjs docs/images [FOLDER of a model with a table of positions]
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nn, ops, run, tensor } from '../dist/index.mjs';
import { readTensors } from './conformance/models.mjs';
import { minilmFolder } from './fetch-minilm.mjs';
import { draw } from './performance/draw.mjs';

const [, , out, given] = process.argv;
if (out === undefined) throw new Error('usage: node scripts/position-pictures.mjs OUT [MODEL]');
const range = (length, step = 1, from = 0) => Array.from({ length }, (_, i) => from + i * step);
const quantitative = (field, title, rest = {}) => ({ field, type: 'quantitative', title, ...rest });
const diverging = (domain) => ({ scheme: 'blueorange', domain, domainMid: 0 });
const heat = (values, { x, y, colour, domain, width, height }) => ({
  width,
  height,
  data: { values },
  mark: { type: 'rect', aria: false },
  encoding: {
    x: { field: 'x', type: 'ordinal', title: x, axis: sparse(values, 'x') },
    y: { field: 'y', type: 'ordinal', title: y, axis: sparse(values, 'y') },
    color: quantitative('value', colour, { scale: diverging(domain), legend: { title: colour } }),
  },
});
const sparse = (values, field) => {
  const most = values.reduce((greatest, value) => Math.max(greatest, value[field]), 0);
  const step = 2 ** Math.ceil(Math.log2((most + 1) / 8));
  return { values: range(Math.floor(most / step) + 1, step), labelAngle: 0, ticks: false };
};
const lines = (values, { x, y, by, width = 380, height = 260, xScale = {}, yScale = {} }) => ({
  width,
  height,
  data: { values },
  mark: { type: 'line', strokeWidth: 1.8 },
  encoding: {
    x: quantitative('x', x, { scale: xScale, axis: { tickCount: 6 } }),
    y: quantitative('y', y, { scale: yScale, axis: { tickCount: 6 } }),
    color: { field: 'by', type: 'nominal', sort: null, legend: { title: by } },
  },
});

/** Vaswani et al. 2017, section 3.5. */
async function sinusoidal() {
  const [count, width] = [96, 48];
  const layer = new nn.SinusoidalPositions(count, width);
  const { data } = await run(layer.forward(tensor(Int32Array.from(range(count)))));
  const table = range(count * width).map((i) => ({
    x: i % width,
    y: Math.floor(i / width),
    value: data[i],
  }));
  const row = (i) => data.subarray(i * width, (i + 1) * width);
  const product = (a, b) => row(a).reduce((sum, x, i) => sum + x * row(b)[i], 0);
  const course = [12, 48, 84].flatMap((at) =>
    range(count).map((x) => ({ x, y: product(at, x), by: `of position ${at}` })),
  );
  const words = {
    title: 'Sinusoidal positions',
    subtitle: `nn.SinusoidalPositions(${count}, ${width}): sines at even columns, cosines at odd ones`,
  };
  await draw(join(out, 'positions-sinusoidal.svg'), words, {
    hconcat: [
      heat(table, {
        x: 'column',
        y: 'position',
        colour: 'value',
        domain: [-1, 1],
        width: 300,
        height: 300,
      }),
      lines(course, { x: 'position', y: 'inner product of two positions', by: '', height: 300 }),
    ],
    resolve: { scale: { color: 'independent' } },
  });
}

/** Su et al. 2021, and what models that read longer texts make of the frequencies. */
async function rotary() {
  const dims = 64;
  const original = 4096;
  const scalings = {
    'default, base 10⁴': [1e4, { kind: 'default' }],
    'default, base 5·10⁵': [5e5, { kind: 'default' }],
    'linear, ÷ 4': [1e4, { kind: 'linear', factor: 4 }],
    'YaRN, × 4': [
      1e4,
      { kind: 'yarn', factor: 4, original, betaFast: 32, betaSlow: 1, truncate: true },
    ],
    'Llama 3.1, × 8': [5e5, { kind: 'llama3', factor: 8, low: 1, high: 4, original: 8192 }],
    'LongRoPE, ÷ 1 … 16': [
      1e4,
      {
        kind: 'longrope',
        short: range(dims / 2).fill(1),
        long: range(dims / 2).map((i) => 16 ** (i / (dims / 2 - 1))),
      },
    ],
  };
  const wavelengths = [];
  const course = [];
  const distances = range(257);
  const half = dims / 2;
  // A vector (1, 0) in each plane turns into the cosine and the sine of its angle.
  const planes = Float32Array.from({ length: distances.length * dims }, (_, i) =>
    i % dims < half ? 1 : 0,
  );
  for (const [by, [base, scaling]] of Object.entries(scalings)) {
    const frequencies = nn.scaledFrequencies(dims, base, scaling).at(-1);
    frequencies.forEach((frequency, x) => {
      wavelengths.push({ x, y: (2 * Math.PI) / frequency, by });
    });
    const layer = new nn.RotaryPositions({ frequencies, maxLength: 2048 });
    const turned = await run(
      layer.forward(
        tensor(planes, [distances.length, dims]),
        tensor(Int32Array.from(distances)),
        1,
      ),
    );
    distances.forEach((x, row) => {
      const cosines = turned.data.subarray(row * dims, row * dims + half);
      course.push({ x, y: cosines.reduce((sum, value) => sum + value, 0) / half, by });
    });
  }
  const words = {
    title: 'Rotary positions and their scalings',
    subtitle: `nn.RotaryPositions over nn.scaledFrequencies(${dims}, base, scaling); right: q·k of equal vectors, by how far they are apart`,
  };
  const scale = { type: 'log' };
  await draw(join(out, 'positions-rotary.svg'), words, {
    hconcat: [
      lines(wavelengths, {
        x: 'pair of components',
        y: 'wavelength, positions',
        by: '',
        yScale: scale,
      }),
      lines(course, { x: 'distance', y: 'mean cosine of the angles', by: '' }),
    ],
  });
}

/** Press et al. 2022, section 3. */
async function alibi() {
  const heads = 8;
  const values = nn
    .alibiSlopes(heads)
    .flatMap((slope, head) =>
      range(33).map((x) => ({ x, y: -slope * x, by: `head ${head}: 2^−${-Math.log2(slope)}` })),
    );
  const words = {
    title: 'Attention with linear biases',
    subtitle: `nn.alibiSlopes(${heads}): what is added to the scores of keys, by how far they lie before the query`,
  };
  await draw(
    join(out, 'positions-alibi.svg'),
    words,
    lines(values, { x: 'distance', y: 'bias', by: '' }),
  );
}

/** Raffel et al. 2020, section 2.1, and He et al. 2021, section 3.1, in DeBERTa's second version. */
async function relative() {
  const reach = 160;
  const distances = range(2 * reach + 1, 1, -reach);
  const kinds = {
    'T5, encoder': (distance) => ops.relativeBucket(distance, 32, true, 128),
    'T5, decoder': (distance) => ops.relativeBucket(distance, 32, false, 128),
  };
  const t5 = Object.entries(kinds).flatMap(([by, bucket]) =>
    distances.map((x) => ({ x, y: bucket(x), by })),
  );
  const far = range(401, 5, -1000);
  const cut = (bucket) => Math.max(-256, Math.min(255, bucket)); // rows that the table has
  const deberta = far.flatMap((x) => [
    { x, y: cut(nn.logBucket(x, 256, 512)), by: 'DeBERTa-v3' },
    { x, y: cut(x), by: 'without buckets' },
  ]);
  const words = {
    title: 'Relative positions in buckets',
    subtitle:
      'ops.relativeBucket(distance, 32, …, 128) and nn.logBucket(distance, 256, 512): near ones exactly, far ones together',
  };
  await draw(join(out, 'positions-relative.svg'), words, {
    hconcat: [
      lines(t5, { x: 'distance, key − query', y: 'bucket', by: '' }),
      lines(deberta, { x: 'distance', y: 'bucket', by: '' }),
    ],
    resolve: { scale: { color: 'independent' } },
  });
}

/** What training made of a table: Wang & Chen 2020 look at such tables in the same way. */
async function learned() {
  const folder = given ?? (await minilmFolder());
  const tensors = readTensors(readFileSync(join(folder, 'model.safetensors')));
  const name = [...tensors.keys()].find((key) => key.endsWith('position_embeddings.weight'));
  if (name === undefined) throw new Error(`${folder} has no table of positions`);
  const { data, shape } = tensors.get(name);
  const [count, width] = shape;
  const step = Math.ceil(count / 64);
  const rows = range(Math.floor(count / step), step).map((row) => {
    const vector = data.subarray(row * width, (row + 1) * width);
    const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
    return { row, vector: vector.map((x) => x / length) };
  });
  const values = rows.flatMap(({ row: y, vector: a }) =>
    rows.map(({ row: x, vector: b }) => ({
      x,
      y,
      value: a.reduce((sum, value, i) => sum + value * b[i], 0),
    })),
  );
  const words = {
    title: 'Learned positions',
    subtitle: `cosine of positions with each other: ${name} of all-MiniLM-L6-v2`,
  };
  const size = { width: 340, height: 340 };
  await draw(
    join(out, 'positions-learned.svg'),
    words,
    heat(values, { x: 'position', y: 'position', colour: 'cosine', domain: [-1, 1], ...size }),
  );
}

for (const picture of [sinusoidal, rotary, alibi, relative, learned]) await picture();
