/**
 * Makes docs/performance.md's table of aims, its pictures, and docs/performance-tables.md from the documents in
 * bench/results/, so that no figure there is typed by hand. Usage: node scripts/performance-page.mjs
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { quietness } from '../bench/table.mjs';
import { languageTargets } from './performance/language_targets.mjs';
import { attention, gemm, roofline, sentences } from './performance/pictures.mjs';
import { targets } from './performance/targets.mjs';
import { trainingTargets } from './performance/training_targets.mjs';

const results = new URL('../bench/results/', import.meta.url);
const docs = new URL('../docs/', import.meta.url);

const figure = (value) => {
  if (value === null) return '–';
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
};

const markdown = (head, lines) =>
  [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`);

function tablesOf({ file, machine, runs = [], results: rows }) {
  const head = [
    'case',
    'threads',
    'dtype',
    'Heddle',
    'peer',
    'its figure',
    'unit',
    'ratio',
    'best',
    'of peak',
  ];
  const lines = rows.map((row) => [
    `${row.name}, ${row.case}`,
    String(row.threads),
    row.dtype ?? '',
    figure(row.heddle),
    row.peerName || '',
    row.reason ?? (row.peer === null ? '' : figure(row.peer)),
    row.unit,
    row.ratio === null ? '' : `${row.ratio.toFixed(2)} (±${(50 * row.spread).toFixed(0)} %)`,
    row.bestRatio === undefined ? '' : row.bestRatio.toFixed(2),
    row.shareOfCeiling == null ? '' : `${(100 * row.shareOfCeiling).toFixed(0)} %`,
  ]);
  const { cpu, cores, isa, node, os, commit, command } = machine;
  return [
    `## \`${command}\``,
    '',
    `${cpu}, ${cores} cores, ${isa}; Node ${node}, ${os}; commit ${commit}; \`bench/results/${file}\``,
    ...runs.flatMap((run) => ['', `\`${run.name}\`: ${quietness(run)}.`]),
    '',
    ...markdown(head, lines),
    '',
  ].join('\n');
}

function aimsOf(rows, isAvx2) {
  const head = [
    'work',
    'against',
    'aim with AVX-512',
    'with AVX2',
    'here',
    '',
    "of this machine's ceiling",
  ];
  const lines = [...targets, ...languageTargets, ...trainingTargets].flatMap(
    ({ work, against, aim, avx2 = '', reached }) => {
      const found = reached(rows, isAvx2);
      const cells = found
        ? [found.text, found.isMet ? '✓' : '✗', found.share]
        : ['not measured', '', ''];
      return [[work, against, aim, avx2, ...cells]];
    },
  );
  return markdown(head, lines).join('\n');
}

/** Puts `text` between the comments of that name. */
function replaceSection(page, name, text) {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const [before, rest] = page.split(begin);
  return `${before}${begin}\n\n${text}\n\n${end}${rest.split(end)[1]}`;
}

const documents = readdirSync(results)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((file) => ({ file, ...JSON.parse(readFileSync(new URL(file, results), 'utf8')) }));
/** All rows of a bench, and the machine of the last document that has some. */
function rowsOf(bench) {
  const having = documents.filter(({ results: rows }) => rows.some(({ name }) => name === bench));
  const results = having.flatMap(({ results: rows }) => rows);
  return having.length === 0 ? undefined : { machine: having.at(-1).machine, results };
}

const pictures = [
  ['gemm', gemm, 'gemm'],
  ['attention', attention, 'attention'],
  ['sentences', sentences, 'embed'],
  ['roofline', roofline, 'profile'],
];
for (const [name, draw, bench] of pictures) {
  const measured = rowsOf(bench);
  if (measured) await draw(fileURLToPath(new URL(`images/${name}.svg`, docs)), measured);
}

const page = new URL('performance.md', docs);
const rows = documents.flatMap((document) => document.results);
const isAvx2 = documents.every(({ machine }) => machine.isa.startsWith('avx2'));
const text = replaceSection(readFileSync(page, 'utf8'), 'aims', aimsOf(rows, isAvx2));
writeFileSync(page, text);

const tables = new URL('performance-tables.md', docs);
const all = documents.map(tablesOf).join('\n');
writeFileSync(tables, replaceSection(readFileSync(tables, 'utf8'), 'tables', all));
