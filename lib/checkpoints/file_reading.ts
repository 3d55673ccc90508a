/** Reads files with typed errors. */
import type { Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { HeddleError } from '../errors.js';

/** Turns an error of the file system into ERR_NOT_FOUND or ERR_FILE, naming the file. */
export function fileError(path: string, cause: unknown): HeddleError {
  if (cause instanceof HeddleError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new HeddleError('ERR_NOT_FOUND', `${path}: no such file`, { where: path, cause });
  }
  return new HeddleError('ERR_FILE', `${path}: cannot be read: ${message}`, { where: path, cause });
}

export async function withFile<T>(
  path: string,
  use: (file: FileHandle, bytes: number) => Promise<T>,
): Promise<T> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK (which Windows does not have), opening a FIFO would wait for a writer.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const status = await file.stat();
    if (!status.isFile()) {
      throw new HeddleError('ERR_FILE', `${path}: expected a file, found something else`, {
        expected: 'a file',
        where: path,
      });
    }
    return await use(file, status.size);
  } catch (cause) {
    throw fileError(path, cause);
  } finally {
    await file?.close();
  }
}

/** Fills `target` from `offset` on. @throws ERR_FILE when the file ends before. */
export async function readFully(
  file: FileHandle,
  target: Uint8Array,
  offset: number,
  path: string,
): Promise<void> {
  let done = 0;
  while (done < target.length) {
    // One read takes at most 2^31 - 1 bytes.
    const length = Math.min(target.length - done, 2 ** 30);
    const { bytesRead } = await file.read(target, done, length, offset + done);
    if (bytesRead === 0) {
      throw new HeddleError(
        'ERR_FILE',
        `${path}: expected ${target.length} bytes from byte ${offset}, found ${done}`,
        { expected: `${target.length} bytes`, found: `${done} bytes`, where: path },
      );
    }
    done += bytesRead;
  }
}

/** Adds the bytes of a range to a digest, some at a time, so that the event loop is not held. @throws ERR_FILE. */
export async function hashRange(
  hash: Hash,
  { path, offset, bytes }: { path: string; offset: number; bytes: number },
): Promise<void> {
  await withFile(path, async (file) => {
    const part = new Uint8Array(Math.min(bytes, 2 ** 20));
    for (let done = 0; done < bytes; done += part.length) {
      const next = part.subarray(0, Math.min(part.length, bytes - done));
      await readFully(file, next, offset + done, path);
      hash.update(next);
    }
  });
}

/** The whole of a file of at most `limit` bytes. @throws ERR_FORMAT, with its size, for a larger one. */
export async function readSmallFile(path: string, limit: number): Promise<Uint8Array> {
  return withFile(path, async (file, bytes) => {
    if (bytes > limit) {
      throw new HeddleError(
        'ERR_FORMAT',
        `${path}: expected at most ${limit} bytes, found ${bytes}`,
        {
          expected: `at most ${limit} bytes`,
          found: `${bytes} bytes`,
          where: path,
        },
      );
    }
    const content = new Uint8Array(bytes);
    await readFully(file, content, 0, path);
    return content;
  });
}

export async function kindOf(path: string): Promise<'file' | 'folder' | 'absent'> {
  try {
    const status = await stat(path);
    return status.isDirectory() ? 'folder' : 'file';
  } catch (cause) {
    const error = fileError(path, cause);
    if (error.code === 'ERR_NOT_FOUND') return 'absent';
    throw error;
  }
}
