/** What the cache holds, and how much of it can be given back. */
import { existsSync, type Stats } from 'node:fs';
import { lstat, readdir, readFile, realpath, rm, rmdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import {
  type HubSettings,
  isCommit,
  ownModelsFolder,
  repositoryFolder,
} from '../checkpoints/hub_cache.js';
import { cachedSnapshot } from './snapshot.js';

export interface CachedModel {
  readonly id: string;
  readonly commit: string;
  /** Branches and tags that were this commit when they were last asked for. */
  readonly refs: readonly string[];
  /** Of its files, those too that another revision shares. */
  readonly bytes: number;
  readonly lastUsed: Date;
  /** Of the model's downloads that were cut, or run. */
  readonly unfinished: number;
  /** Whether the weights are there, in safetensors. */
  readonly isUsable: boolean;
  readonly folder: string;
}

export interface OwnModel {
  readonly name: string;
  readonly bytes: number;
  readonly lastUsed: Date;
  readonly folder: string;
}

/** The models in Heddle's own cache, by name. */
export async function ownModels(folder = ownModelsFolder()): Promise<OwnModel[]> {
  const found: OwnModel[] = [];
  for (const name of (await namesIn(folder)).sort(compare)) {
    const model = join(folder, name);
    const stats = await Promise.all((await filesUnder(model)).map((path) => stat(path)));
    if (stats.length === 0) continue;
    const bytes = stats.reduce((sum, { size }) => sum + size, 0);
    const lastUsed = Math.max(...stats.map(({ atimeMs, mtimeMs }) => Math.max(atimeMs, mtimeMs)));
    found.push({ name, bytes, lastUsed: new Date(lastUsed), folder: model });
  }
  return found;
}

/** Every snapshot of every model, sorted by id and last use. */
export async function cachedModels(settings: HubSettings): Promise<CachedModel[]> {
  const names = await namesIn(settings.cacheFolder);
  const ids = names
    .filter((name) => /^models--./.test(name))
    .map((name) => name.slice('models--'.length).replace('--', '/'));
  const models = await Promise.all(ids.map((id) => snapshotsOf(settings, id)));
  return models
    .flat()
    .sort((a, b) => compare(a.id, b.id) || b.lastUsed.getTime() - a.lastUsed.getTime());
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

async function snapshotsOf(settings: HubSettings, id: string): Promise<CachedModel[]> {
  const folder = repositoryFolder(settings.cacheFolder, id);
  const refs = await refsOf(folder);
  const parts = (await filesUnder(join(folder, 'blobs'))).filter((path) => isPart(path));
  const unfinished = await freedBy(parts);
  const commits = (await namesIn(join(folder, 'snapshots'))).filter(isCommit);
  return Promise.all(
    commits.map(async (commit) => {
      const snapshot = join(folder, 'snapshots', commit);
      const files = new Map<string, Stats>();
      for (const path of await filesUnder(snapshot)) {
        const status = await stat(path).catch(() => undefined); // its blob is gone
        if (status) files.set(`${status.dev}:${status.ino}`, status);
      }
      const stats = [...files.values()];
      const lastUsed = Math.max(
        0,
        ...stats.map(({ atimeMs, mtimeMs }) => Math.max(atimeMs, mtimeMs)),
      );
      const state = await cachedSnapshot(id, { revision: commit, settings });
      return {
        id,
        commit,
        refs: [...refs].filter(([, of]) => of === commit).map(([ref]) => ref),
        bytes: stats.reduce((sum, { size }) => sum + size, 0),
        unfinished,
        lastUsed: new Date(lastUsed),
        isUsable: state?.isUsable ?? false,
        folder: snapshot,
      };
    }),
  );
}

const isPart = (path: string): boolean => path.endsWith('.incomplete');

/** Branch or tag to commit. */
async function refsOf(folder: string): Promise<Map<string, string>> {
  const refs = new Map<string, string>();
  for (const path of await filesUnder(join(folder, 'refs'))) {
    const name = relative(join(folder, 'refs'), path).split(sep).join('/');
    const commit = (await readFile(path, 'utf8').catch(() => '')).trim();
    if (isCommit(commit)) refs.set(name, commit);
  }
  return refs;
}

/** Whether the cache has anything of a model, if only a download that was cut. */
export const hasAnything = (settings: HubSettings, id: string): boolean =>
  existsSync(repositoryFolder(settings.cacheFolder, id));

/**
 * Takes a model from the cache, or one commit of it with the blobs that no other snapshot uses.
 * @returns the bytes that this freed.
 */
export async function removeCached(
  settings: HubSettings,
  id: string,
  commit?: string,
): Promise<number> {
  const folder = repositoryFolder(settings.cacheFolder, id);
  const all = await filesUnder(folder);
  const gone = commit === undefined ? all : await onlyOf(folder, commit, all);
  const bytes = await freedBy(gone);
  if (commit === undefined) {
    await rm(folder, { recursive: true, force: true });
  } else {
    for (const path of gone) await rm(path, { force: true });
    await rm(join(folder, 'snapshots', commit), { recursive: true, force: true });
    await rm(join(folder, '.no_exist', commit), { recursive: true, force: true });
    await removeEmptyFolders(join(folder, 'refs'));
  }
  return bytes;
}

/** Files of one commit, of the whole model where it has no other. */
async function onlyOf(folder: string, commit: string, all: readonly string[]): Promise<string[]> {
  const inFolder = (...parts: string[]): string => join(folder, ...parts) + sep;
  const others = (await namesIn(join(folder, 'snapshots'))).filter((name) => name !== commit);
  const used = new Set<string>();
  for (const other of others) {
    for (const path of await filesUnder(join(folder, 'snapshots', other))) {
      used.add(await realpath(path).catch(() => path));
    }
  }
  const refs = [...(await refsOf(folder))].filter(([, of]) => of === commit);
  const gone = new Set(refs.map(([ref]) => join(folder, 'refs', ...ref.split('/'))));
  const own = [inFolder('snapshots', commit), inFolder('.no_exist', commit)];
  const tree = join(folder, 'trees', `${commit}.json`); // Python's list of the commit's files
  for (const path of all) {
    const isOwn = path === tree || own.some((start) => path.startsWith(start));
    // A file that is being downloaded may be any commit's.
    const isBlob = path.startsWith(inFolder('blobs')) && !isPart(path);
    if (isOwn || (isBlob && !used.has(await realpath(path).catch(() => path)))) gone.add(path);
  }
  return [...gone];
}

/** A file with several names gives its bytes back with the last of them. */
async function freedBy(paths: readonly string[]): Promise<number> {
  const files = new Map<string, { names: number; status: Stats }>();
  for (const path of paths) {
    const status = await lstat(path).catch(() => undefined);
    if (!status?.isFile()) continue;
    const key = `${status.dev}:${status.ino}`;
    files.set(key, { names: (files.get(key)?.names ?? 0) + 1, status });
  }
  return [...files.values()]
    .filter(({ names, status }) => names >= status.nlink)
    .reduce((sum, { status }) => sum + status.size, 0);
}

/** Paths of all files and links, at any depth; none where there is no such folder. */
async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

async function removeEmptyFolders(folder: string): Promise<void> {
  for (const path of await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    () => [],
  )) {
    // A ref 'a/b' leaves a folder behind, in whose way a ref 'a' would be.
    if (path.isDirectory()) await rmdir(join(path.parentPath, path.name)).catch(() => {});
  }
}
