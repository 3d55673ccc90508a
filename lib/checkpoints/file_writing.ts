/** Writes files and folders so that a process killed at any moment leaves the earlier ones, or the new ones whole. */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HeddleError } from '../errors.js';

/** What is not finished: swept by whoever writes into the folder next. */
const unfinished = /^\..+\.unfinished-\d+$/;
const unfinishedName = (path: string): string =>
  join(dirname(path), `.${basename(path)}.unfinished-${process.pid}`);

/** Turns an error of the file system into ERR_FILE, naming what could not be written. */
export function writingError(path: string, cause: unknown): HeddleError {
  if (cause instanceof HeddleError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const full = code === 'ENOSPC' || code === 'EFBIG' || code === 'EDQUOT';
  const mend = full ? '; there is no room for it: free some, or write elsewhere' : '';
  return new HeddleError('ERR_FILE', `${path}: cannot be written: ${message}${mend}`, {
    where: path,
    cause,
  });
}

/** Writes a file of its own, to the disk. @param parts its bytes, one after the other. */
export async function writeThrough(
  path: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC);
    for await (const part of parts) {
      for (let done = 0; done < part.length; ) {
        const { bytesWritten } = await file.write(
          part,
          done,
          Math.min(part.length - done, 2 ** 30),
        );
        done += bytesWritten;
      }
    }
    await file.sync();
  } catch (cause) {
    throw writingError(path, cause);
  } finally {
    await file?.close();
  }
}

/** Puts a file in the place of the one of its name, if there is one, at once. @throws ERR_FILE. */
export async function replaceFile(
  path: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const temporary = unfinishedName(path);
  try {
    await writeThrough(temporary, parts);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true });
    throw writingError(path, cause);
  }
}

/** Makes a folder that is there whole or not at all. @param fill writes its files, through to the disk. @throws ERR_FILE. */
export async function createFolder(
  path: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  const temporary = unfinishedName(path);
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    await fill(temporary);
    await syncFolder(temporary);
    await removeFolder(path);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true });
    throw writingError(path, cause);
  }
}

/** Takes a folder away: it is gone at once, its files follow. */
export async function removeFolder(path: string): Promise<void> {
  const temporary = `${unfinishedName(path)}0`;
  try {
    await rm(temporary, { recursive: true, force: true });
    await rename(path, temporary);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw writingError(path, cause);
  }
  await rm(temporary, { recursive: true, force: true });
}

/** Removes what writers that were killed have left. */
export async function sweepUnfinished(folder: string): Promise<void> {
  try {
    for (const name of await readdir(folder)) {
      if (unfinished.test(name)) await rm(join(folder, name), { recursive: true, force: true });
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw writingError(folder, cause);
  }
}

/** A name is on the disk when its folder is. Windows has no such call, and refuses to open folders. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
