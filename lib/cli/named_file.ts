/** Files and folders that the user names for what a command makes. */
import { access, constants, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { HeddleError } from '../errors.js';
import { written } from './arguments.js';

/** The value of `--out`. Throws ERR_ARGUMENT where it is missing. */
export function outFolder({ out }: Record<string, unknown>): string {
  if (out !== undefined) return written('out') ?? String(out);
  throw new HeddleError('ERR_ARGUMENT', '--out: expected a folder to write to, found none');
}

/** Writes it; folders on the way to it are made. @param option named in errors. @throws ERR_FILE. */
export async function writeNamedFile(option: string, file: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  } catch (cause) {
    throw cannotBeWritten(option, file, (cause as Error).message, cause);
  }
}

/** Finds out before a long run what would keep its result from being written; makes nothing. @throws ERR_FILE. */
export async function checkTarget(
  option: string,
  path: string,
  kind: 'file' | 'folder' = 'file',
): Promise<void> {
  try {
    const found = await stat(path).catch(absent);
    if (found && found.isDirectory() !== (kind === 'folder')) {
      throw new Error(found.isDirectory() ? 'it is a folder' : 'it is no folder');
    }
    let nearest = found ? path : dirname(resolve(path));
    while (!(await stat(nearest).catch(absent))) nearest = dirname(nearest);
    await access(nearest, constants.W_OK);
  } catch (cause) {
    throw cannotBeWritten(option, path, (cause as Error).message, cause);
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

function cannotBeWritten(option: string, path: string, reason: string, cause: unknown): Error {
  const message = `--${option}: ${path} cannot be written (${reason})`;
  return new HeddleError('ERR_FILE', message, { cause });
}
