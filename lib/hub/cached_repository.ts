/** A model's folder in the cache: `blobs` named by hash, `snapshots` of links to them, `refs`, and marks of what is not there. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { copyFile, link, mkdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import {
  cachedCommit,
  type HubSettings,
  isCommit,
  repositoryFolder,
} from '../checkpoints/hub_cache.js';
import type { HubFile } from './hub_api.js';

export class CachedRepository {
  readonly folder: string;

  constructor(
    private readonly settings: HubSettings,
    id: string,
  ) {
    this.folder = repositoryFolder(settings.cacheFolder, id);
  }

  /** The commit of a revision when it was last asked for. */
  commitOf(revision: string): string | undefined {
    return isCommit(revision) ? revision : cachedCommit(this.folder, revision);
  }

  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  /** Where a file of a commit is, or would be. */
  pathOf(commit: string, path: string): string {
    return join(this.snapshot(commit), ...path.split('/'));
  }

  blob(hash: string): string {
    return join(this.folder, 'blobs', hash);
  }

  lockOf(hash: string): string {
    const name = this.folder.slice(this.settings.cacheFolder.length).replace(/^[\\/]+/, '');
    return join(this.settings.cacheFolder, '.locks', name, `${hash}.heddle.lock`);
  }

  /** Whether a commit has a file: false where Python's libraries or this one have found that it has none, undefined where nobody has looked. */
  has(commit: string, path: string): boolean | undefined {
    if (existsSync(this.pathOf(commit, path))) return true;
    return existsSync(this.absenceOf(commit, path)) ? false : undefined;
  }

  /** Files of a commit in a folder, which ends with a slash. */
  under(commit: string, folder: string): string[] {
    const path = this.pathOf(commit, folder);
    return existsSync(path) ? readdirSync(path).map((name) => folder + name) : [];
  }

  /** Whether the file is there in its whole length. */
  holds(commit: string, { path, size }: HubFile): boolean {
    return statSync(this.pathOf(commit, path), { throwIfNoEntry: false })?.size === size;
  }

  async holdsBlob({ hash, size }: HubFile): Promise<boolean> {
    const status = await stat(this.blob(hash)).catch(() => undefined);
    return status?.size === size;
  }

  /** Makes a blob a file of a commit: a relative link, a hard link where Windows forbids those, else a copy. */
  async linkInto(commit: string, { path, hash }: HubFile): Promise<void> {
    const target = this.pathOf(commit, path);
    const blob = this.blob(hash);
    await mkdir(dirname(target), { recursive: true });
    await rm(target, { force: true }); // a link to a blob that is gone, or a file of another length
    try {
      if (!this.settings.symlinks) throw new Error('HF_HUB_DISABLE_SYMLINKS');
      await symlink(relative(dirname(target), blob), target, 'file');
    } catch {
      await link(blob, target).catch(() => this.copyInto(target, hash));
    }
  }

  private async copyInto(target: string, hash: string): Promise<void> {
    const temporary = this.temporary(hash);
    await copyFile(this.blob(hash), temporary);
    await rename(temporary, target);
  }

  /** Beside the blobs, where a file that a killed process leaves is taken for none of a snapshot, and no ref. */
  private temporary(name: string): string {
    return `${this.blob(name)}.${randomBytes(4).toString('hex')}.tmp`;
  }

  /** Notes which commit a branch or tag is. A cache that cannot be written to goes without. */
  async writeRef(revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || cachedCommit(this.folder, revision) === commit) return;
    const file = join(this.folder, 'refs', ...revision.split('/'));
    const temporary = this.temporary('ref');
    try {
      await mkdir(dirname(file), { recursive: true });
      await mkdir(dirname(temporary), { recursive: true });
      await writeFile(temporary, commit);
      await rename(temporary, file);
    } catch {
      await rm(temporary, { force: true }).catch(() => {});
    }
  }

  /** Notes that a commit has no such file, as Python's libraries do, so that nobody asks again. */
  async noteAbsence(commit: string, path: string): Promise<void> {
    const file = this.absenceOf(commit, path);
    try {
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, '');
    } catch {
      // a cache that cannot be written to goes without
    }
  }

  private absenceOf(commit: string, path: string): string {
    return join(this.folder, '.no_exist', commit, ...path.split('/'));
  }
}
