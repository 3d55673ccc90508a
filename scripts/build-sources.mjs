/**
 * Prints a list of sources.json for binding.gyp, one entry a line: `node build-sources.mjs core`,
 * `node build-sources.mjs isas avx2 gcc`.
 */
import { readFileSync } from 'node:fs';

const all = JSON.parse(readFileSync(new URL('../sources.json', import.meta.url), 'utf8'));
const list = process.argv.slice(2).reduce((value, key) => value?.[key], all);
if (!Array.isArray(list)) throw new Error(`sources.json has no list ${process.argv.slice(2)}`);
console.log(list.join('\n'));
