/** Texts in the place of those that the examples fetch: the examples use what is in their folder. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Finished, node } from '../cli/heddle.js';
import { fixture } from '../tasks/tiny_model.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Runs `node examples/…` as a user does. */
export const example = (...args: string[]): Promise<Finished> => {
  const [name = '', ...others] = args;
  return node([join('examples', name), ...others], root);
};

async function write(folder: string, files: Record<string, string>): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}

/** Parts of one novel as six. */
export async function writeNovels(folder: string): Promise<void> {
  const text = await readFile(fixture('trained/text.txt'), 'utf8');
  const names = ['emma', 'mansfield-park', 'northanger-abbey', 'persuasion'];
  names.push('pride-and-prejudice', 'sense-and-sensibility');
  const length = Math.floor(text.length / names.length);
  const part = (i: number): string => text.slice(i * length, (i + 1) * length);
  const novels = names.map((name, i) => [`${name}.txt`, part(i)]);
  await write(join(folder, 'novels'), Object.fromEntries(novels));
}

/** The same lines as every part of a corpus of passages with their genres. */
export function writePassages(folder: string): Promise<void> {
  const line = (i: number): string => `the ${i} of it\t${i % 3 === 0 ? 'news' : 'humor'}\n`;
  const lines = Array.from({ length: 24 }, (_, i) => line(i)).join('');
  const parts = ['train', 'valid', 'test'].map((part) => [`${part}.tsv`, lines]);
  return write(join(folder, 'brown'), Object.fromEntries(parts));
}

/** Pairs of lines that say the same, with the package they are said to be from. */
export function writePairs(folder: string): Promise<void> {
  const line = (i: number): string => `Open file ${i}\tDatei ${i} öffnen\tshell\n`;
  const lines = Array.from({ length: 40 }, (_, i) => line(i)).join('');
  const parts = ['train', 'valid', 'test'].map((part) => [`${part}.tsv`, lines]);
  return write(join(folder, 'pairs'), Object.fromEntries(parts));
}
