/**
 * A file that is being downloaded: `<hash>.heddle-<random>.incomplete` beside the blobs. Its name is this download's alone,
 * also where a lock has failed, and what an earlier one left is taken over by renaming it.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

export class PartialFile {
  private constructor(
    readonly path: string,
    private handle: FileHandle,
  ) {}

  /** To be called under the lock of the hash. @throws errors of the file system. */
  static async claim(folder: string, hash: string): Promise<PartialFile> {
    await mkdir(folder, { recursive: true });
    const path = join(folder, `${hash}.heddle-${randomBytes(4).toString('hex')}.incomplete`);
    const [largest, ...others] = await leftBehind(folder, hash);
    for (const other of others) await rm(other, { force: true });
    if (largest !== undefined) await rename(largest, path).catch(() => {}); // Windows: it is open
    return new PartialFile(path, await open(path, constants.O_RDWR | constants.O_CREAT, 0o666));
  }

  async size(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  /** @returns how many bytes were read. */
  async read(target: Uint8Array, position: number): Promise<number> {
    return (await this.handle.read(target, 0, target.length, position)).bytesRead;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const rest = bytes.length - done;
      done += (await this.handle.write(bytes, done, rest, position + done)).bytesWritten;
    }
  }

  /** Begins anew, in another file: somebody whose lock was lost may still write to this one. */
  async clear(): Promise<void> {
    await this.handle.close();
    await rm(this.path, { force: true });
    this.handle = await open(this.path, 'wx+', 0o666);
  }

  /** Gives the file its name, when its bytes are on the disk. */
  async finish(target: string): Promise<void> {
    await this.handle.sync();
    await this.handle.close();
    await rename(this.path, target);
  }

  /** Leaves the file for the next download, unless it is empty. */
  async leave(): Promise<void> {
    const isEmpty = await this.size().then(
      (size) => size === 0,
      () => false, // closed: it was renamed, or could not be
    );
    await this.handle.close().catch(() => {});
    if (isEmpty) await rm(this.path, { force: true });
  }
}

/** Of earlier downloads, the largest first. */
async function leftBehind(folder: string, hash: string): Promise<string[]> {
  const isPart = (name: string): boolean =>
    name.startsWith(`${hash}.heddle-`) && name.endsWith('.incomplete');
  const paths = (await readdir(folder)).filter(isPart).map((name) => join(folder, name));
  const sized = await Promise.all(
    paths.map(async (path) => ({ path, size: (await stat(path)).size })),
  );
  return sized.sort((a, b) => b.size - a.size).map(({ path }) => path);
}
