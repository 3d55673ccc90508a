/** Reads the files that models are trained on. */
import { fileError, readFully, withFile } from '../checkpoints/file_reading.js';
import { mismatch } from '../errors.js';
import { strictText } from '../text/optional_files.js';

/** A file of text is held in memory, as a string and as ids. */
const largestFile = 2 ** 29 - 24;

/** The whole of a text file, without the mark at the beginning that some editors write. @throws ERR_FORMAT naming the line of broken UTF-8. */
export async function readTrainingText(path: string): Promise<string> {
  const bytes = await withFile(path, async (file, size) => {
    if (size > largestFile) {
      throw mismatch('ERR_INPUT', path, `at most ${largestFile} bytes`, `${size}`);
    }
    const content = Buffer.alloc(size);
    await readFully(file, content, 0, path);
    return content;
  }).catch((cause) => {
    throw fileError(path, cause);
  });
  const text = strictText(bytes, path).replace(/^\ufeff/, '');
  if (text.trim() === '') throw mismatch('ERR_INPUT', path, 'text', 'none');
  return text;
}

/** The lines of a text that have something on them. */
export const linesOf = (text: string): string[] =>
  text.split('\n').filter((line) => line.trim() !== '');

/** The two columns of each line, between which is a tab. @throws ERR_INPUT naming the line. */
export function pairsOf(text: string, path: string, names: readonly [string, string]): Pair[] {
  const pairs: Pair[] = [];
  text.split('\n').forEach((line, i) => {
    if (line === '') return; // also what follows the last line
    const columns = line.split('\t');
    const where = `${path}: line ${i + 1}`;
    if (columns.length !== 2) {
      const expected = `two columns (${names.join(', ')}) with a tab between`;
      throw mismatch('ERR_INPUT', where, expected, `${columns.length}`);
    }
    const empty = columns.findIndex((column) => column.trim() === '');
    if (empty >= 0) throw mismatch('ERR_INPUT', where, `a ${names[empty]}`, 'an empty column');
    pairs.push({ first: columns[0] as string, second: columns[1] as string, line: i + 1 });
  });
  if (pairs.length === 0) throw mismatch('ERR_INPUT', path, 'lines of two columns', 'none');
  return pairs;
}

export interface Pair {
  readonly first: string;
  readonly second: string;
  readonly line: number;
}
