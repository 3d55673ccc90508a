/**
 * Draws the README's picture of native against JavaScript from a result file of `npm run bench -- javascript
 * --save`. Usage: node scripts/plot-javascript.mjs bench/results/FILE.json docs/images/javascript.svg
 */
import { readFileSync } from 'node:fs';
import { draw } from './performance/draw.mjs';

const [, , resultFile, pictureFile] = process.argv;
const { machine, results } = JSON.parse(readFileSync(resultFile, 'utf8'));
const rows = results.filter(({ name, peer }) => name === 'javascript' && peer !== null);
if (rows.length === 0) throw new Error(`${resultFile} has no results of javascript`);

const size = Math.max(...rows.map(({ shape }) => shape[0]));
const shown = rows.filter(({ shape }) => shape[0] === size);
const { threads, isa } = shown[0];
const ours = `Heddle, ${isa}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
// Heddle ran beside each peer in turn: one bar, the median.
const figures = shown.map(({ heddle }) => heddle).sort((a, b) => a - b);
const values = [
  { engine: ours, rate: figures[figures.length >> 1], native: true },
  ...shown.map(({ peerName, peer }) => ({ engine: peerName, rate: peer, native: false })),
];

const byRate = { field: 'rate', type: 'quantitative' };
const bar = {
  y: {
    field: 'engine',
    type: 'nominal',
    sort: { field: 'rate', op: 'max', order: 'descending' },
    title: null,
    axis: { labelLimit: 240, ticks: false },
  },
  x: { ...byRate, title: 'GFLOP/s (more is better)', stack: null },
};
const words = {
  title: `float32 product of two ${size} × ${size} matrices`,
  subtitle: `${machine.cpu}, Node ${machine.node}`,
};
await draw(pictureFile, words, {
  width: 420,
  height: { step: 26 },
  data: { values },
  layer: [
    {
      mark: { type: 'bar', cornerRadiusEnd: 2 },
      encoding: {
        ...bar,
        color: {
          field: 'native',
          type: 'nominal',
          scale: { domain: [true, false], range: ['#0b6e4f', '#b8bfc6'] },
          legend: null,
        },
      },
    },
    {
      mark: { type: 'text', align: 'left', dx: 5 },
      encoding: { ...bar, text: { ...byRate, format: '.3~r' } },
    },
  ],
  config: { axis: { grid: false } },
});
