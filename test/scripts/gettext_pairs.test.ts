import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clean, isGood, partOf, readCatalog, writePairs } from '../../scripts/gettext-pairs.mjs';
import { temporaryFolder } from '../tasks/tiny_model.js';

/** A compiled catalog, as msgfmt writes it. */
function catalog(entries: [string, string][], isLittle = true, charset = 'UTF-8'): Buffer {
  const encoding = charset === 'UTF-8' ? 'utf8' : 'latin1';
  const all: [string, string][] = [
    ['', `Content-Type: text/plain; charset=${charset}\n`],
    ...entries,
  ];
  const head = Buffer.alloc(28 + 16 * all.length);
  const write = (value: number, at: number): unknown =>
    isLittle ? head.writeUInt32LE(value, at) : head.writeUInt32BE(value, at);
  [0x950412de, 0, all.length, 28, 28 + 8 * all.length].forEach((value, i) => {
    write(value, 4 * i);
  });
  const texts: Buffer[] = [];
  let at = head.length;
  [0, 1].forEach((column) => {
    all.forEach((entry, i) => {
      const text = Buffer.from(entry[column] ?? '', encoding);
      write(text.length, 28 + 8 * (column * all.length + i));
      write(at, 32 + 8 * (column * all.length + i));
      texts.push(text, Buffer.from([0]));
      at += text.length + 1;
    });
  });
  return Buffer.concat([head, ...texts]);
}

describe('readCatalog', () => {
  const entries: [string, string][] = [
    ['Open a file', 'Eine Datei \u00f6ffnen'],
    ['menu\u0004Close', 'Schlie\u00dfen'],
    ['%d file\0%d files', '%d Datei\0%d Dateien'],
  ];
  const pairs = [
    ['Open a file', 'Eine Datei öffnen'],
    ['Close', 'Schließen'],
    ['%d file', '%d Datei'],
    ['%d files', '%d Dateien'],
  ];

  it.each([
    [true, 'UTF-8'],
    [false, 'UTF-8'],
    [true, 'ISO-8859-1'],
  ])('reads texts, contexts and plural forms: little %s, %s', (isLittle, charset) => {
    expect(readCatalog(catalog(entries, isLittle, charset))).toEqual(pairs);
  });

  it('refuses what is no whole catalog', () => {
    const whole = catalog(entries);
    for (let end = 0; end < whole.length - 1; end += 3) {
      expect(() => readCatalog(whole.subarray(0, end))).toThrow();
    }
  });
});

describe('pairs', () => {
  it('lose markup, keys and what programs put in', () => {
    expect(clean('_Open <b>%s</b>\n in {name}&nbsp;')).toBe('Open @@ in @@');
    expect(clean('100% sure')).toBe('100% sure');
  });

  it('are left out where they are no prose, or no translation of each other', () => {
    expect(isGood('The file is open', 'Die Datei ist offen')).toBe(true);
    expect(isGood('The file @@ is open', 'Die Datei ist offen')).toBe(false);
    expect(isGood('one two', 'eins zwei')).toBe(false);
    expect(isGood('a b c d', 'a b c d')).toBe(false);
    expect(isGood('1 2 3 4 (5)', 'eins zwei drei')).toBe(false);
  });

  it('are parted by package', async () => {
    const folder = await temporaryFolder();
    const inside = join(folder, 'locale', 'de', 'LC_MESSAGES');
    await mkdir(inside, { recursive: true });
    const names = Array.from({ length: 120 }, (_, i) => `package${i}`);
    for (const name of names) {
      const text = `The package ${name} is installed`;
      const file = join(inside, `${name}.mo`);
      await writeFile(file, catalog([[text, `Das Paket ${name} ist installiert`]]));
    }
    await writeFile(join(inside, 'broken.mo'), 'nothing of the kind');
    const out = join(folder, 'out');
    const counts = await writePairs(out, { language: 'de', locale: [join(folder, 'locale')] });
    expect(counts.train + counts.valid + counts.test).toBe(120);
    for (const part of ['train', 'valid', 'test'] as const) {
      const lines = (await readFile(join(out, `${part}.tsv`), 'utf8')).split('\n').slice(0, -1);
      expect(lines).toHaveLength(counts[part]);
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines) {
        const [source, target, name] = line.split('\t');
        expect(partOf(name as string)).toBe(part);
        expect(source).toBe(`The package ${name} is installed`);
        expect(target).toBe(`Das Paket ${name} ist installiert`);
      }
    }
  });
});
