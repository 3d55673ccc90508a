import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { HeddleError } from '../errors.js';

/** Lines of a file (`-`: stdin) that are not empty. @throws ERR_FILE. */
export async function linesOf(file: string): Promise<string[]> {
  let text: string;
  try {
    text = file === '-' ? await readAll(process.stdin) : await readFile(file, 'utf8');
  } catch (cause) {
    throw new HeddleError('ERR_FILE', `${file}: cannot be read (${(cause as Error).message})`, {
      cause,
    });
  }
  return text.split(/\r?\n/).filter((line) => line.trim() !== '');
}
