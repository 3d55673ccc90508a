import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { HeddleError } from '../errors.js';

/** The text of a file; `-`: of stdin. @throws ERR_FILE. */
export async function textOf(file: string): Promise<string> {
  try {
    return file === '-' ? await readAll(process.stdin) : await readFile(file, 'utf8');
  } catch (cause) {
    throw new HeddleError('ERR_FILE', `${file}: cannot be read (${(cause as Error).message})`, {
      cause,
    });
  }
}

/** Lines of a file (`-`: stdin) that are not empty. @throws ERR_FILE. */
export async function linesOf(file: string): Promise<string[]> {
  const text = await textOf(file);
  return text.split(/\r?\n/).filter((line) => line.trim() !== '');
}
