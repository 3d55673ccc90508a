/** From a hub id to a folder: from the cache where it is whole, else from the hub. */
import { type HubSettings, isCommit, isRevision } from '../checkpoints/hub_cache.js';
import { HeddleError, mismatch } from '../errors.js';
import { CachedRepository } from './cached_repository.js';
import { downloadFile } from './download_file.js';
import { lock } from './download_lock.js';
import type { Repository } from './http.js';
import { commitOf, filesOf, type HubFile } from './hub_api.js';
import { HubError } from './hub_error.js';
import {
  type ModelPart,
  type NeededFiles,
  neededFiles,
  noFile,
  noWeights,
} from './needed_files.js';
import { checkOriginal, largestCard, originalIn } from './original_model.js';
import { DownloadProgress, type OnDownload } from './progress.js';

export interface Snapshot {
  readonly id: string;
  readonly commit: string;
  readonly folder: string;
}

export interface SnapshotOptions {
  revision: string;
  settings: HubSettings;
  /** Which files are wanted; default: all. */
  part?: ModelPart | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnDownload | undefined;
}

/** Downloads that run at a time. */
const parallel = 4;

/**
 * A snapshot with all files that Heddle reads. As in huggingface_hub: a commit that is in the cache costs no request; a
 * branch or tag costs one, which asks whether it has moved; where the hub does not answer, what is in the cache is taken.
 *
 * A repository that holds only ONNX files, made from another repository's checkpoint, gives the snapshot of that one.
 * @throws HeddleError: ERR_NETWORK, ERR_AUTH, ERR_NOT_FOUND, ERR_UNSUPPORTED for a model without safetensors, ERR_FORMAT, ERR_FILE;
 * the signal's reason.
 */
export async function fetchSnapshot(id: string, options: SnapshotOptions): Promise<Snapshot> {
  const { revision } = options;
  if (typeof revision !== 'string' || !isRevision(revision)) {
    throw mismatch('ERR_ARGUMENT', 'revision', 'a commit, branch or tag', `'${revision}'`);
  }
  const found = await fetchOwn(id, options);
  if (found.original === undefined) return plain(found);
  const original = await fetchOwn(found.original, { ...options, revision: 'main' });
  if (original.original !== undefined) throw noWeights(original.id, ['x.onnx'], []);
  checkOriginal(id, found.folder, original.id, original.folder);
  process.emitWarning(
    `${id} holds only ONNX files; opened the checkpoint that they were made from, ${original.id}`,
    { code: 'HEDDLE_ORIGINAL_MODEL' },
  );
  return plain(original);
}

const plain = ({ id, commit, folder }: Snapshot): Snapshot => ({ id, commit, folder });

/** A snapshot, or the folder of one that has no weights but names its original. */
interface OwnSnapshot extends Snapshot {
  readonly original?: string | undefined;
}

async function fetchOwn(id: string, options: SnapshotOptions): Promise<OwnSnapshot> {
  const { revision, settings, part, signal } = options;
  const repository: Repository = { id, revision, settings, signal };
  const cache = new CachedRepository(settings, id);
  const cached = await cachedSnapshot(id, options);
  const isKnown = cached?.isUsable || cached?.original !== undefined;
  if (settings.offline) return offline(repository, cached);
  if (cached?.isWhole && isCommit(revision)) return cached;

  let commit = revision;
  if (!isCommit(revision)) {
    try {
      commit = await commitOf(repository, !isKnown);
    } catch (error) {
      const isDown = error instanceof HubError && error.fault !== 'revision';
      if (isDown && isKnown) return cached!;
      throw error;
    }
  }
  let current = commit === cached?.commit ? cached : await inspectCached(cache, id, commit, part);
  if (!current.isWhole && current.original === undefined) {
    const listing = await filesOf(repository, commit).catch((error) => {
      if (error instanceof HubError && current.isUsable) return undefined;
      throw error;
    });
    if (listing) {
      await fetchFiles(repository, cache, commit, listing, options);
      current = await inspectCached(cache, id, commit, part);
    }
  }
  await cache.writeRef(revision, commit);
  return current;
}

export interface CachedSnapshot extends Snapshot {
  /** Whether every file that Heddle reads is there, or known not to exist. */
  readonly isWhole: boolean;
  /** Whether the weights are there, or what else was wanted; optional files may be missing. */
  readonly isUsable: boolean;
  /** Why the files cannot say what is needed. */
  readonly problem?: HeddleError;
  /** Where there are no weights: the model that they were made from, by what the cache has. */
  readonly original?: string | undefined;
}

/** What the cache has of a revision; makes no request. */
export async function cachedSnapshot(
  id: string,
  { revision, settings, part }: Pick<SnapshotOptions, 'revision' | 'settings' | 'part'>,
): Promise<CachedSnapshot | undefined> {
  const cache = new CachedRepository(settings, id);
  const commit = cache.commitOf(revision);
  return commit === undefined ? undefined : inspectCached(cache, id, commit, part);
}

async function inspectCached(
  cache: CachedRepository,
  id: string,
  commit: string,
  part: ModelPart = 'model',
): Promise<CachedSnapshot> {
  const snapshot = { id, commit, folder: cache.snapshot(commit) };
  try {
    const view = {
      has: (path: string) => cache.has(commit, path),
      under: (folder: string) => cache.under(commit, folder),
      open: async (path: string) => cache.pathOf(commit, path),
    };
    const needed = await neededFiles(view, part);
    if (!needed.isUsable) {
      const original = part === 'model' ? originalIn(snapshot.folder) : undefined;
      return { ...snapshot, isUsable: false, isWhole: false, original };
    }
    return { ...snapshot, isUsable: true, isWhole: needed.unknown.length === 0 };
  } catch (problem) {
    if (!(problem instanceof HeddleError)) throw problem;
    return { ...snapshot, isUsable: false, isWhole: false, problem };
  }
}

function offline({ id, revision }: Repository, cached: CachedSnapshot | undefined): OwnSnapshot {
  if (cached?.isUsable || cached?.original !== undefined) return cached;
  if (cached?.problem) throw cached.problem;
  const what = revision === 'main' ? id : `${id} at '${revision}'`;
  throw new HeddleError(
    'ERR_NOT_FOUND',
    `${what}: not whole in the Hugging Face cache, and HF_HUB_OFFLINE or localFilesOnly forbids to fetch it; take that away, or fetch it where there is a network: heddle models get ${id}`,
    { where: id, expected: 'a whole model in the cache' },
  );
}

async function fetchFiles(
  repository: Repository,
  cache: CachedRepository,
  commit: string,
  listing: ReadonlyMap<string, HubFile>,
  { onProgress, part = 'model' }: SnapshotOptions,
): Promise<void> {
  const progress = new DownloadProgress(onProgress);
  // The files that name others come first.
  const view = {
    has: (path: string) => listing.has(path),
    under: (folder: string) => [...listing.keys()].filter((path) => path.startsWith(folder)),
    open: async (path: string) => {
      await fetchOne(repository, cache, commit, listing.get(path)!, progress);
      return cache.pathOf(commit, path);
    },
  };
  const needed = await neededFiles(view, part);
  if (!needed.isUsable && part !== 'model') throw noFile(repository.id, part);
  if (!needed.isUsable) {
    const card = listing.get('README.md');
    const isConversion = [...listing.keys()].some((path) => path.endsWith('.onnx'));
    if (isConversion && card && card.size <= largestCard) {
      await fetchOne(repository, cache, commit, card, progress);
      const config = listing.get('config.json');
      if (originalIn(cache.snapshot(commit)) !== undefined) {
        if (config) await fetchOne(repository, cache, commit, config, progress);
        return;
      }
    }
    throw noWeights(repository.id, [...listing.keys()], missing(needed));
  }
  const files = needed.present.map((path) => listing.get(path)!);
  progress.begin(files);
  files.sort((a, b) => b.size - a.size); // so that no large one is left over to run alone
  // Weights make a snapshot usable where the hub does not answer, so they are linked last, when nothing else is missing.
  const isWeights = ({ path }: HubFile): boolean => path.endsWith('.safetensors');
  await inParallel(repository.signal, files, (file, signal) =>
    fetchOne({ ...repository, signal }, cache, commit, file, progress, !isWeights(file)),
  );
  for (const file of files.filter(isWeights)) {
    await fetchOne(repository, cache, commit, file, progress);
  }
  for (const path of needed.absent) await cache.noteAbsence(commit, path);
}

/** Shards that the index names and the listing lacks. */
const missing = ({ absent }: NeededFiles): string[] =>
  absent.filter((path) => path.endsWith('.safetensors'));

async function fetchOne(
  repository: Repository,
  cache: CachedRepository,
  commit: string,
  file: HubFile,
  progress: DownloadProgress,
  isLinked = true,
): Promise<void> {
  const isThere = (): boolean => cache.holds(commit, file);
  try {
    if (!isThere()) {
      const held = await lock(cache.lockOf(file.hash), repository.signal);
      try {
        if (!isThere()) {
          if (!(await cache.holdsBlob(file))) {
            const onBytes = (bytes: number): void => progress.update(file, bytes);
            await downloadFile(repository, commit, file, cache.blob(file.hash), onBytes);
          }
          if (isLinked) await cache.linkInto(commit, file);
        }
      } finally {
        await held.release();
      }
    }
  } catch (cause) {
    throw cacheError(cache, cause);
  }
  progress.update(file, file.size);
}

/** What the file system says, with its advice. */
function cacheError({ folder }: CachedRepository, cause: unknown): unknown {
  const { code, syscall, message } = cause as NodeJS.ErrnoException;
  if (cause instanceof HeddleError || typeof syscall !== 'string') return cause;
  const advice =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'free some space (heddle models list shows what is there), or name another folder in HF_HOME'
      : 'let it be written to, or name another folder in HF_HOME';
  return new HeddleError('ERR_FILE', `${folder}: cannot be written: ${message}; ${advice}`, {
    where: folder,
    cause,
  });
}

/** The first that fails stops the others, and is waited for until they have stopped. */
async function inParallel<T>(
  caller: AbortSignal | undefined,
  items: readonly T[],
  body: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(caller?.reason);
  caller?.throwIfAborted();
  caller?.addEventListener('abort', onAbort, { once: true });
  let next = 0;
  const worker = async (): Promise<void> => {
    try {
      while (next < items.length) {
        stop.signal.throwIfAborted();
        await body(items[next++]!, stop.signal);
      }
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  };
  const results = await Promise.allSettled(Array.from({ length: parallel }, worker));
  caller?.removeEventListener('abort', onAbort);
  if (results.some(({ status }) => status === 'rejected')) throw stop.signal.reason;
}
