/**
 * Writes the tables of docs/performance.md from the documents in bench/results/, so that no figure there is typed by
 * hand. Usage: node scripts/performance-page.mjs
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const results = new URL('../bench/results/', import.meta.url);
const page = new URL('../docs/performance.md', import.meta.url);
const [begin, end] = ['<!-- tables: begin -->', '<!-- tables: end -->'];

const figure = (value) => {
  if (value === null) return '–';
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
};

function section(file) {
  const { machine, results: rows } = JSON.parse(readFileSync(new URL(file, results), 'utf8'));
  const lines = rows.map((row) => [
    `${row.name}, ${row.case}`,
    String(row.threads),
    row.dtype,
    figure(row.heddle),
    row.peerName || '',
    row.reason ?? (row.peer === null ? '' : figure(row.peer)),
    row.unit,
    row.ratio === null ? '' : `${row.ratio.toFixed(2)} (±${(50 * row.spread).toFixed(0)} %)`,
    row.shareOfCeiling == null ? '' : `${(100 * row.shareOfCeiling).toFixed(0)} %`,
  ]);
  const head = [
    'case',
    'threads',
    'dtype',
    'Heddle',
    'peer',
    'its figure',
    'unit',
    'ratio',
    'of peak',
  ];
  const text = [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`);
  const { cpu, cores, isa, node, os, commit, command } = machine;
  return [
    `### \`${command}\``,
    '',
    `${cpu}, ${cores} cores, ${isa}; Node ${node}, ${os}; commit ${commit}; \`bench/results/${file}\``,
    '',
    ...text,
    '',
  ].join('\n');
}

const files = readdirSync(results).filter((name) => name.endsWith('.json'));
const text = readFileSync(page, 'utf8');
const tables = files.sort().map(section).join('\n');
const [before, after] = [text.split(begin)[0], text.split(end)[1]];
writeFileSync(page, `${before}${begin}\n\n${tables}\n${end}${after}`);
