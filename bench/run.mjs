/**
 * npm run bench -- [gemm] [attention] [embed] [requests] [bulk] [decode] [profile] [javascript] [--quick] [--json] [--save] [--threads N] [--only REGEX]
 *
 * Measures Heddle beside other engines: medians over alternating runs (ours, theirs, ours, theirs) of one
 * invocation. `ratio` is always how many times as fast Heddle is. A peer that is not installed
 * (bench/peers/setup.sh) leaves its row with the reason. --only measures some cases of `decode`. --save writes the document to bench/results/.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { machine } from './machine.mjs';
import { table } from './table.mjs';

const names = ['gemm', 'attention', 'embed', 'requests', 'bulk', 'decode', 'profile', 'javascript'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    threads: { type: 'string' },
    only: { type: 'string', default: '' },
  },
});
const unknown = positionals.filter((name) => !names.includes(name));
const threads = values.threads === undefined ? undefined : Number(values.threads);
if (unknown.length > 0 || (threads !== undefined && !(Number.isInteger(threads) && threads > 0))) {
  const wrong = unknown.length > 0 ? `no bench ${unknown.join(', ')}` : '--threads wants a number';
  console.error(`bench: ${wrong}; there are ${names.join(', ')}`);
  process.exit(2);
}

const chosen = positionals.length > 0 ? positionals : names;
const document = { machine: machine(), results: [] };
for (const name of chosen) {
  const { bench } = await import(`./${name}.mjs`);
  const log = (text) => process.stderr.write(`${name}: ${text}\n`);
  document.results.push(
    ...(await bench({ quick: values.quick, threads, only: new RegExp(values.only), log })),
  );
}

if (values.json) console.log(JSON.stringify(document, undefined, 2));
else console.log(table(document));
if (values.save) {
  const folder = new URL('./results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const { isa, commit } = document.machine;
  const file = `${new Date().toISOString().slice(0, 10)}-${isa}-${commit}-${chosen.join('-')}.json`;
  writeFileSync(new URL(file, folder), `${JSON.stringify(document, undefined, 2)}\n`);
  console.error(`saved as bench/results/${file}`);
}
process.exit();
