/**
 * Writes the six novels of Jane Austen, which are in the public domain, as text files: from Debian's package r-cran-janeaustenr,
 * which apt-get downloads and does not install.
 *
 * node scripts/fetch-austen.mjs FOLDER [--deb FILE]
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { withPackages, withUnpacked } from './debian-packages.mjs';
import { databaseObjects, stringVector } from './r-data.mjs';

/** First lines of the novels in the package, and the files that they become. */
const novels = {
  EMMA: 'emma.txt',
  'MANSFIELD PARK': 'mansfield-park.txt',
  'NORTHANGER ABBEY': 'northanger-abbey.txt',
  Persuasion: 'persuasion.txt',
  'PRIDE AND PREJUDICE': 'pride-and-prejudice.txt',
  'SENSE AND SENSIBILITY': 'sense-and-sensibility.txt',
};

/** @returns paths by title. */
export async function writeNovels(folder, deb) {
  const database = deb
    ? await withUnpacked(deb, readDatabase)
    : await withPackages(['r-cran-janeaustenr'], ([file]) => withUnpacked(file, readDatabase));
  await mkdir(folder, { recursive: true });
  const paths = {};
  for (const object of databaseObjects(database)) {
    const lines = stringVector(object);
    const name = novels[lines?.[0]?.trim()];
    if (name === undefined) continue;
    paths[name] = join(folder, name);
    await writeFile(paths[name], `${lines.join('\n')}\n`);
  }
  const missing = Object.values(novels).find((name) => !(name in paths));
  if (missing) throw new Error(`${missing}: not in the package; of another version?`);
  return paths;
}

const readDatabase = (folder) =>
  readFile(join(folder, 'usr/lib/R/site-library/janeaustenr/data/Rdata.rdb'));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { deb: { type: 'string' } },
  });
  if (positionals.length !== 1) {
    console.error('fetch-austen: expected a folder to write to; see the head of the script');
    process.exit(2);
  }
  try {
    console.log(Object.values(await writeNovels(positionals[0], values.deb)).join('\n'));
  } catch (error) {
    console.error(`fetch-austen: ${error.message}`);
    process.exit(1);
  }
}
