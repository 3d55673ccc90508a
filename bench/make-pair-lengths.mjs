/**
 * Writes bench/pair-lengths.json: how long sentences and their translations are, in words and punctuation marks, from a file
 * of pairs, a tab between the two. Numbers alone are kept. Usage: node bench/make-pair-lengths.mjs PAIRS.tsv
 */
import { readFileSync, writeFileSync } from 'node:fs';

const count = 2048;
const [, , file] = process.argv;
const lengthOf = (text) => text.match(/\p{L}+|\p{N}+|[^\p{L}\p{N}\s]/gu)?.length ?? 0;

const pairs = readFileSync(file, 'utf8')
  .split('\n')
  .map((line) => line.split('\t').slice(0, 2).map(lengthOf))
  .filter(([source, target]) => source > 0 && target > 0 && source <= 100 && target <= 100);

// A fixed shuffle: neighbours in the file are often of one kind.
let state = 1;
const below = (n) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
};
for (let i = pairs.length - 1; i > 0; i--) {
  const j = below(i + 1);
  [pairs[i], pairs[j]] = [pairs[j], pairs[i]];
}
const lines = pairs.slice(0, count).map((pair) => JSON.stringify(pair));
const rows = [];
for (let i = 0; i < lines.length; i += 16) rows.push(`    ${lines.slice(i, i + 16).join(', ')}`);
const source =
  'Messages of English programs and their German translations (gettext catalogs of Debian)';
const text = `{\n  "source": "${source}",\n  "pairs": [\n${rows.join(',\n')}\n  ]\n}\n`;
writeFileSync(new URL('pair-lengths.json', import.meta.url), text);
