/**
 * npm run bench -- [gemm] [gemv] [attention] [embed] [requests] [bulk] [decode] [train] [particles] [estimate] [profile] [javascript]
 *                  [--quick] [--once] [--json] [--save] [--threads N] [--dtype NAME] [--shapes MxKxN,…] [--texts FILE]
 *                  [--only REGEX]
 *
 * Measures Heddle beside other engines: medians over alternating runs (ours, theirs, ours, theirs) of one
 * invocation. `ratio` is always how many times as fast Heddle is. A peer that is not installed
 * (bench/peers/setup.sh) leaves its row with the reason. --once runs each case of --quick a single time, cold: whether the
 * benches still work. --save writes the document to bench/results/.
 * --dtype limits gemm, gemv, embed and profile to one type; --shapes gives gemm other sizes, --texts gives embed other texts, one a line;
 * --only measures some cases of decode, particles and estimate.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { addon, startEngine } from './addon.mjs';
import { measureOnce } from './alternate.mjs';
import { machine, watchMachine } from './machine.mjs';
import { table } from './table.mjs';

const names = [
  'gemm',
  'gemv',
  'attention',
  'embed',
  'requests',
  'bulk',
  'decode',
  'train',
  'particles',
  'estimate',
  'profile',
  'javascript',
];

const dtypes = ['float32', 'bfloat16', 'int8', 'int4'];

const { chosen, threads, dtype, shapes, texts, only, ...options } = parse();
if (options.once) measureOnce();
await startEngine();
const document = { machine: machine(), runs: [], results: [] };
for (const name of chosen) {
  const { bench } = await import(`./${name}.mjs`);
  const log = (text) => process.stderr.write(`${name}: ${text}\n`);
  addon().setThreads(threads);
  const watched = watchMachine();
  document.results.push(
    ...(await bench({
      quick: options.quick || options.once,
      threads,
      dtype,
      shapes,
      texts,
      only,
      log,
    })),
  );
  document.runs.push({ name, ...watched() });
}

if (options.json) console.log(JSON.stringify(document, undefined, 2));
else console.log(table(document));
if (options.save) save();
const missing = new Set(
  document.results
    .filter(({ reason }) => reason?.startsWith('not installed'))
    .map(({ peerName }) => peerName),
);
if (missing.size > 0) {
  console.error(
    `not measured: ${[...missing].join(', ')}; bash bench/peers/setup.sh installs them`,
  );
}
process.exit();

function save() {
  const folder = new URL('./results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const { isa } = document.machine;
  const file = `${new Date().toISOString().slice(0, 10)}-${isa}-${[...chosen, ...(dtype ? [dtype] : [])].join('-')}.json`;
  writeFileSync(new URL(file, folder), `${JSON.stringify(document, undefined, 2)}\n`);
  console.error(`saved as bench/results/${file}`);
}

function parse() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        once: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        save: { type: 'boolean', default: false },
        threads: { type: 'string' },
        dtype: { type: 'string' },
        shapes: { type: 'string' },
        texts: { type: 'string' },
        only: { type: 'string' },
      },
    });
    const unknown = positionals.filter((name) => !names.includes(name));
    if (unknown.length > 0) throw new Error(`no bench ${unknown.join(', ')}`);
    const count = Number(values.threads ?? Math.min(2, availableParallelism()));
    if (!(Number.isInteger(count) && count > 0)) throw new Error('--threads wants a number');
    if (values.dtype !== undefined && !dtypes.includes(values.dtype))
      throw new Error(`--dtype wants one of ${dtypes.join(', ')}`);
    const sizes = values.shapes?.split(',').map((shape) => shape.split('x').map(Number));
    if (
      sizes?.some((size) => size.length !== 3 || !size.every((n) => Number.isInteger(n) && n > 0))
    )
      throw new Error('--shapes wants MxKxN, as 100x300x500,7x64x64');
    const lines = values.texts && readFileSync(values.texts, 'utf8').split('\n').filter(Boolean);
    return {
      ...values,
      chosen: positionals.length > 0 ? positionals : names,
      threads: count,
      shapes: sizes,
      texts: lines || undefined,
      only: values.only === undefined ? undefined : new RegExp(values.only),
    };
  } catch ({ message }) {
    console.error(`bench: ${message}; there are ${names.join(', ')}`);
    process.exit(2);
  }
}
