/**
 * Draws the README's picture of native against JavaScript from a result file of `npm run bench -- javascript
 * --save`. Usage: node scripts/plot-javascript.mjs bench/results/FILE.json docs/images/javascript.svg
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as vega from 'vega';
import { compile } from 'vega-lite';

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
const specification = {
  $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
  background: 'white',
  padding: 12,
  title: {
    text: `float32 product of two ${size} × ${size} matrices`,
    subtitle: `${machine.cpu}, Node ${machine.node}`,
    anchor: 'start',
  },
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
          scale: { domain: [true, false], range: ['#2f6f4f', '#b8bfc6'] },
          legend: null,
        },
      },
    },
    {
      mark: { type: 'text', align: 'left', dx: 5 },
      encoding: { ...bar, text: { ...byRate, format: '.3~r' } },
    },
  ],
  config: { font: 'system-ui, sans-serif', view: { stroke: null }, axis: { grid: false } },
};

const view = new vega.View(vega.parse(compile(specification).spec), { renderer: 'none' });
mkdirSync(dirname(pictureFile), { recursive: true });
writeFileSync(pictureFile, `${await view.toSVG()}\n`);
