/**
 * Computes and draws the pictures of docs/attention.md. Usage: node scripts/attention-pictures.mjs [docs/images]
 */
import { join } from 'node:path';
import { hopfield, lookup } from 'heddle';
import { draw } from './performance/draw.mjs';

const [, , folder = 'docs/images'] = process.argv;

/** Mulberry32 and Box & Muller 1958: the same pictures for everyone. */
let state = 20;
function uniform() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
const times = (count, make) => Array.from({ length: count }, (_, i) => make(i));
const onSphere = (count, dimension, radius) =>
  times(count, () => {
    const row = times(dimension, normal);
    const factor = radius / Math.hypot(...row);
    return row.map((x) => x * factor);
  });
const rowsOf = ({ data, shape: [rows, columns] }) =>
  times(rows, (i) => data.subarray(i * columns, (i + 1) * columns));
const quantitative = (field, title, more = {}) => ({
  field,
  type: 'quantitative',
  title,
  ...more,
});

/** Keys on a circle and a query that goes round: what is read, by inverse temperature. */
async function lookupPicture(file) {
  const onCircle = (degrees) => [
    Math.cos((degrees * Math.PI) / 180),
    Math.sin((degrees * Math.PI) / 180),
  ];
  const stored = [
    { angle: 30, value: 2 },
    { angle: 100, value: 7 },
    { angle: 150, value: 4 },
    { angle: 240, value: 9 },
    { angle: 320, value: 1 },
  ];
  const angles = times(361, (i) => i);
  const lines = [];
  for (const t of [0, 2, 8, 32, Infinity]) {
    const { data } = await lookup(
      angles.map(onCircle),
      stored.map(({ angle }) => onCircle(angle)),
      stored.map(({ value }) => [value]),
      { t },
    );
    const name = t === Infinity ? '∞' : `${t}`;
    lines.push(...angles.map((angle, i) => ({ angle, value: data[i], t: name })));
  }
  const x = quantitative('angle', 'angle of the query, degrees', { scale: { domain: [0, 360] } });
  const words = {
    title: 'A lookup, soft and exact',
    subtitle: 'what is read from five keys on a circle (points), by inverse temperature t',
  };
  await draw(file, words, {
    width: 560,
    height: 260,
    layer: [
      {
        data: { values: lines },
        mark: { type: 'line', strokeWidth: 1.8 },
        encoding: {
          x,
          y: quantitative('value', 'value read'),
          color: {
            field: 't',
            type: 'ordinal',
            sort: ['0', '2', '8', '32', '∞'],
            scale: { range: ['#9ecae1', '#56b4e9', '#0072b2', '#0b6e4f', '#d55e00'] },
            legend: { title: 't' },
          },
        },
      },
      {
        data: { values: stored },
        mark: { type: 'point', filled: true, size: 70, color: '#333', opacity: 1 },
        encoding: { x, y: quantitative('value') },
      },
    ],
  });
}

/** The energy over the plane in bands, states that go down in it, and how it falls. */
async function energyPicture(file) {
  const patterns = [
    [1, 0.2],
    [-0.2, 1],
    [-1, 0.1],
    [-0.4, -0.9],
    [0.7, -0.8],
  ];
  const beta = 6;
  const steps = 12;
  const [cells, reach] = [40, 1.4];
  const at = (i) => -reach + (2 * reach * (i + 0.5)) / cells;
  const half = reach / cells;
  const rectangles = [];
  for (let row = 0; row < cells; row++) {
    const line = times(cells, (column) => [at(column), at(row)]);
    // Logarithmic bands: the wells are shallow beside the walls. Neighbours of one band are one rectangle.
    const levels = Array.from(hopfield.energy(patterns, line, { beta }), (e) =>
      Math.round(5 * Math.log2(e)),
    );
    levels.forEach((band, column) => {
      if (band === levels[column - 1]) rectangles.at(-1).x2 = at(column) + half;
      else {
        const x = at(column) - half;
        rectangles.push({ x, x2: x + 2 * half, y: at(row) - half, y2: at(row) + half, band });
      }
    });
  }
  const starts = times(16, () => [(2 * uniform() - 1) * 1.3, (2 * uniform() - 1) * 1.3]);
  const path = await hopfield.trajectory(patterns, starts, { beta, steps });
  const points = path.flatMap((states, step) => {
    const energies = hopfield.energy(patterns, states, { beta });
    return rowsOf(states).map(([x, y], start) => ({ start, step, x, y, energy: energies[start] }));
  });
  const axis = { grid: false, title: null };
  const scale = { domain: [-reach, reach], nice: false };
  const x = quantitative('x', null, { scale, axis });
  const y = quantitative('y', null, { scale, axis });
  const moved = { color: '#d55e00' };
  await draw(
    file,
    {
      title: 'The energy of five patterns, and what attention does in it',
      subtitle: `modern Hopfield network in the plane, β = ${beta}; ${starts.length} random states`,
    },
    {
      hconcat: [
        {
          width: 320,
          height: 320,
          layer: [
            {
              data: { values: rectangles },
              mark: { type: 'rect', strokeWidth: 0.4, aria: false },
              encoding: {
                x,
                x2: { field: 'x2' },
                y,
                y2: { field: 'y2' },
                color: {
                  field: 'band',
                  type: 'quantitative',
                  scale: { scheme: 'blues', reverse: true },
                  legend: null,
                },
                stroke: {
                  field: 'band',
                  type: 'quantitative',
                  scale: { scheme: 'blues', reverse: true },
                  legend: null,
                },
              },
            },
            {
              data: { values: points },
              mark: { type: 'line', ...moved, strokeWidth: 1.2, point: { ...moved, size: 12 } },
              encoding: {
                x,
                y,
                detail: { field: 'start', type: 'nominal' },
                order: { field: 'step', type: 'quantitative' },
              },
            },
            {
              data: { values: patterns.map(([px, py]) => ({ x: px, y: py })) },
              mark: { type: 'point', shape: 'cross', filled: true, size: 90, color: 'black' },
              encoding: { x, y },
            },
          ],
        },
        {
          width: 300,
          height: 320,
          data: { values: points },
          mark: { type: 'line', ...moved, strokeWidth: 1.2 },
          encoding: {
            x: quantitative('step', 'update'),
            y: quantitative('energy', 'energy'),
            detail: { field: 'start', type: 'nominal' },
          },
        },
      ],
      resolve: { scale: { color: 'independent', stroke: 'independent' } },
    },
  );
}

/** Retrieval of random patterns by their number, and how many there are when half are still found. */
async function capacityPicture(file) {
  const beta = 1;
  const [noise, wanted, queries, steps] = [0.1, 0.1, 256, 5];
  const rates = [];
  const halves = [];
  for (const dimension of [4, 8, 12, 16, 20]) {
    const radius = Math.sqrt(dimension - 1);
    let before = { count: 1, rate: 1 };
    let half;
    for (let count = 2; count <= 2 ** 14; count *= 2) {
      let [found, asked] = [0, 0];
      while (asked < queries) {
        const patterns = onSphere(count, dimension, radius);
        const some = patterns.slice(0, queries);
        const away = onSphere(some.length, dimension, noise * radius);
        const states = some.map((row, i) => row.map((value, j) => value + away[i][j]));
        const retrieved = rowsOf(await hopfield.retrieve(patterns, states, { beta, steps }));
        const isNear = (row, i) =>
          Math.hypot(...row.map((value, j) => value - retrieved[i][j])) <= wanted * radius;
        found += some.filter(isNear).length;
        asked += some.length;
      }
      const rate = found / asked;
      rates.push({ dimension, count, rate });
      if (half === undefined && rate < 0.5) {
        const share = (before.rate - 0.5) / (before.rate - rate);
        half = before.count * (count / before.count) ** share;
        halves.push({ dimension, count: half });
      }
      before = { count, rate };
    }
  }
  const colour = {
    field: 'dimension',
    type: 'ordinal',
    scale: { range: ['#e69f00', '#d55e00', '#cc79a7', '#0072b2', '#0b6e4f'] },
    legend: { title: 'd' },
  };
  const powers = (title, values) =>
    quantitative('count', title, { scale: { type: 'log', base: 2 }, axis: { values } });
  const point = { filled: true, size: 40 };
  await draw(
    file,
    {
      title: 'How many patterns a modern Hopfield network holds',
      subtitle: [
        `random patterns on a sphere of radius M = √(d − 1), β = ${beta}; asked for with ${100 * noise} % of M as noise,`,
        `retrieved: within ${100 * wanted} % of M after ${steps} updates`,
      ],
    },
    {
      hconcat: [
        {
          width: 360,
          height: 260,
          data: { values: rates },
          mark: { type: 'line', point: { filled: true, size: 25 }, strokeWidth: 1.6 },
          encoding: {
            x: powers('number of patterns N', [2, 8, 32, 128, 512, 2048, 8192]),
            y: quantitative('rate', 'share retrieved', { axis: { format: '%' } }),
            color: colour,
          },
        },
        {
          width: 220,
          height: 260,
          data: { values: halves },
          layer: [
            { mark: { type: 'line', color: '#999', strokeWidth: 1.2 }, encoding: {} },
            { mark: { type: 'point', ...point }, encoding: { color: colour } },
          ],
          encoding: {
            x: quantitative('dimension', 'dimension d', { scale: { zero: false } }),
            y: {
              ...powers('N of which half are retrieved', [2, 8, 32, 128, 512, 2048, 8192]),
            },
          },
        },
      ],
    },
  );
  return halves;
}

await lookupPicture(join(folder, 'attention-lookup.svg'));
await energyPicture(join(folder, 'hopfield-energy.svg'));
for (const { dimension, count } of await capacityPicture(join(folder, 'hopfield-capacity.svg'))) {
  console.log(`d = ${dimension}: half of ${count.toFixed(0)} patterns are retrieved`);
}
