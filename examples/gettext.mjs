/** English sentences and their German translations, for the examples: from the catalogs of Debian packages, split by package. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withPackages } from '../scripts/debian-packages.mjs';
import { writePairs } from '../scripts/gettext-pairs.mjs';

/** Of these, gettext-pairs keeps apt for the validation and gramps, of genealogy, for the test. */
const names = [
  ...['apt', 'aptitude-common', 'binutils-common', 'claws-mail-i18n', 'coreutils', 'dpkg'],
  ...['e2fsprogs-l10n', 'evolution-common', 'evolution-data-server-common', 'gcc-12-locales'],
  ...['gettext', 'gnumeric-common', 'gramps', 'kdevelop-l10n', 'libc-l10n'],
  ...['libgtk-3-common', 'libreoffice-l10n-de', 'util-linux-locales', 'vlc-l10n'],
];

/** @returns pairs of each part, which are written to the folder unless they are there: `{ train, valid, test }`. */
export async function germanPairs(folder) {
  if (!existsSync(join(folder, 'test.tsv'))) {
    console.error(`downloading ${names.length} packages for their translations (60 MB)`);
    await withPackages(names, (files) => writePairs(folder, { language: 'de', deb: files }));
  }
  const parts = {};
  for (const part of ['train', 'valid', 'test']) {
    const lines = (await readFile(join(folder, `${part}.tsv`), 'utf8')).trim().split('\n');
    parts[part] = lines.map((line) => line.split('\t').slice(0, 2));
  }
  return parts;
}

/** Every n-th of a list, so that there are at most so many: from all of it. */
export const spread = (list, most) => {
  const step = Math.max(1, Math.ceil(list.length / most));
  return list.filter((_, i) => i % step === 0);
};
