/**
 * Sentences and their translations from the gettext catalogs of Debian packages, to train a translator on: what is installed, or
 * packages as `apt-get download` leaves them. Written are train.tsv, valid.tsv and test.tsv: source, translation, package.
 *
 * node scripts/gettext-pairs.mjs OUT --language de [--locale FOLDER] [--deb FILE]…
 *
 * The texts are under the licences of their packages: they are for training on your machine, and no part of Heddle.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** Messages of a compiled catalog (GNU gettext manual, section 10.3), with their translations. @throws for what is none. */
export function readCatalog(bytes) {
  const magic = bytes.length >= 20 ? bytes.readUInt32LE(0) : 0;
  const isLittle = magic === 0x950412de;
  if (!isLittle && magic !== 0xde120495) throw new Error('not a compiled gettext catalog');
  const word = (at) => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const [count, originals, translations] = [word(8), word(12), word(16)];
  const textAt = (table, i) => {
    const [length, at] = [word(table + 8 * i), word(table + 8 * i + 4)];
    if (at + length > bytes.length) throw new Error('a text beyond the end of the catalog');
    return bytes.subarray(at, at + length);
  };
  if (8 * count > bytes.length) throw new Error('more texts than the catalog has room for');
  let decoder = new TextDecoder('utf-8', { fatal: true });
  const pairs = [];
  for (let i = 0; i < count; i++) {
    const [original, translation] = [textAt(originals, i), textAt(translations, i)];
    if (original.length === 0) {
      const charset = /charset=([\w-]+)/.exec(translation.toString('latin1'))?.[1];
      if (charset) decoder = new TextDecoder(charset, { fatal: true });
      continue;
    }
    // A context stands before the message; of plural forms the first and the last are taken.
    const message = decoder.decode(original).split('\u0004').at(-1).split('\0');
    const forms = decoder.decode(translation).split('\0');
    pairs.push([message[0], forms[0]]);
    if (message.length > 1 && forms.length > 1) pairs.push([message[1], forms.at(-1)]);
  }
  return pairs;
}

const placeholder =
  /%(?:\d+\$)?[-+#0']*[\d*]*(?:\.[\d*]+)?(?:hh|h|ll|l|q|j|z|t|L)?[diouxXeEfgGcsp@](?![a-z])|%\(\w+\)[sd]|\{\w*\}|\$\{?\w+\}?/g;

/** A text as it is read: without markup and keys of menus, with `@@` for what a program puts in. */
export function clean(text) {
  return text
    .replace(/<[^<>]{1,80}>|&\w+;/g, '')
    .replace(/[_&](?=\p{L})/gu, '')
    .replace(placeholder, '@@')
    .replaceAll('\u00ad', '')
    .replace(/\\n|\s+/g, ' ')
    .normalize('NFC')
    .trim();
}

/** Whether a pair is prose of which one is likely the translation of the other. */
export function isGood(source, target) {
  const [words, others] = [source.split(' '), target.split(' ')];
  if (source === target || words.length < 3 || others.length < 2) return false;
  if (words.length > 60 || others.length > 70) return false;
  const ratio = source.length / target.length;
  if (ratio < 0.5 || ratio > 1.8 || [...words, ...others].some((word) => word.length > 40))
    return false;
  const count = (text) => text.split('@@').length;
  const letters = source.replace(/[^\p{L} ]/gu, '').length;
  return count(source) === count(target) && letters >= 0.75 * source.length;
}

/** By package, as neighbours in one are nearly the same: of twenty packages one is for validation and one for the test. */
export function partOf(name) {
  const part = createHash('sha256').update(name).digest()[0] % 20;
  return ['valid', 'test'][part] ?? 'train';
}

/** Paths of the catalogs of a language below a folder, wherever a package puts them. */
async function catalogsIn(folder, language) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.mo'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => path.endsWith(join(language, 'LC_MESSAGES', basename(path))))
    .sort();
}

/** Catalogs by package. Of what is installed, each catalog counts as one. */
async function* packages({ locale, deb }, language) {
  for (const file of deb) {
    const folder = await mkdtemp(join(tmpdir(), 'heddle-deb-'));
    try {
      execFileSync('dpkg-deb', ['--extract', file, folder]);
      const catalogs = await catalogsIn(folder, language);
      yield { name: basename(file).split('_')[0], catalogs };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  for (const folder of locale) {
    for (const catalog of await catalogsIn(folder, language)) {
      yield { name: basename(catalog, '.mo'), catalogs: [catalog] };
    }
  }
}

/** @returns how many pairs each part has. */
export async function writePairs(out, { language, locale = [], deb = [] }) {
  const parts = { train: [], valid: [], test: [] };
  const seen = new Set();
  for await (const { name, catalogs } of packages({ locale, deb }, language)) {
    for (const file of catalogs) {
      let pairs = [];
      try {
        pairs = readCatalog(await readFile(file));
      } catch (error) {
        process.stderr.write(`${file}: left out: ${error.message}\n`);
      }
      for (const pair of pairs) {
        const [source, target] = pair.map(clean);
        if (!isGood(source, target) || seen.has(source.toLowerCase())) continue;
        seen.add(source.toLowerCase());
        parts[partOf(name)].push(`${source}\t${target}\t${name}\n`);
      }
    }
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${seen.size} pairs, ${name}`);
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  await mkdir(out, { recursive: true });
  for (const [part, lines] of Object.entries(parts)) {
    await writeFile(join(out, `${part}.tsv`), lines.join(''));
  }
  return Object.fromEntries(Object.entries(parts).map(([part, lines]) => [part, lines.length]));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      language: { type: 'string', default: 'de' },
      locale: { type: 'string', multiple: true },
      deb: { type: 'string', multiple: true, default: [] },
    },
  });
  const {
    language,
    deb,
    locale = deb.length > 0 ? [] : [join('/usr', 'share', 'locale')],
  } = values;
  if (positionals.length !== 1) {
    process.stderr.write(
      'gettext-pairs: expected a folder to write to; see the head of the script\n',
    );
    process.exit(2);
  }
  const counts = await writePairs(positionals[0], { language, locale, deb });
  process.stdout.write(`${positionals[0]}: ${JSON.stringify(counts)} pairs\n`);
  if (counts.train === 0) {
    process.stderr.write(
      'gettext-pairs: no catalogs there; install or download packages with translations\n',
    );
    process.exit(1);
  }
}
