import { stat } from 'node:fs/promises';
import {
  findInOwnModels,
  type HubSettings,
  hubSettings,
  possibleIds,
} from '../checkpoints/hub_cache.js';
import { HeddleError, mismatch } from '../errors.js';
import { describeValue } from '../graph/options.js';
import { HubError } from '../hub/hub_error.js';
import type { ModelPart } from '../hub/needed_files.js';
import type { OnDownload } from '../hub/progress.js';
import { cachedSnapshot, fetchSnapshot, type Snapshot } from '../hub/snapshot.js';

export interface SourceOptions {
  /** A commit, branch or tag of a hub id; default `main`. */
  revision?: string | undefined;
  /** The Hugging Face cache; default: as the environment says. */
  cacheDir?: string | undefined;
  /** Whether no request may be made. */
  localFilesOnly?: boolean | undefined;
  /** The hub, in place of HF_ENDPOINT. */
  endpoint?: string | undefined;
  /** Which of a hub id's files are needed; default: all that Heddle reads. */
  part?: ModelPart | undefined;
  signal?: AbortSignal | undefined;
  /** Bytes of the files that are fetched. */
  onDownload?: OnDownload | undefined;
}

/**
 * The folder that a source means: itself, or a hub id's snapshot in the Hugging Face cache, fetched where it is not there or
 * not whole, or what lies in Heddle's own cache under this id.
 * @throws ERR_ARGUMENT, ERR_NOT_FOUND, ERR_UNSUPPORTED; for a hub id also ERR_NETWORK, ERR_AUTH, ERR_FORMAT, ERR_FILE.
 */
export async function resolveSource(source: string, options: SourceOptions = {}): Promise<string> {
  if (typeof source !== 'string' || source === '') {
    throw mismatch(
      'ERR_ARGUMENT',
      'source',
      'a folder or a hub id',
      typeof source === 'string' ? "''" : typeof source,
    );
  }
  const entry = await stat(source).catch(() => undefined);
  if (entry?.isDirectory()) return source;
  if (entry) {
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      `${source}: expected the folder that holds config.json and the weights, found a file`,
      { where: source },
    );
  }
  if (possibleIds(source).length === 0) {
    throw new HeddleError(
      'ERR_NOT_FOUND',
      `${source}: expected a folder, or a hub id (organisation/name); found no folder, and it is no id`,
      { where: source },
    );
  }
  const { revision = 'main' } = options;
  // Heddle's own cache has one revision. A snapshot of config.json alone, as Python leaves it, does not hide it.
  const own = revision === 'main' ? findInOwnModels(source) : undefined;
  if (own && !(await isCached(source, options))) return own;
  return (await fetchFromHub(source, options)).folder;
}

/** What the environment says of the hub, and the options above it. */
function settingsOf({ cacheDir, localFilesOnly, endpoint }: SourceOptions): HubSettings {
  if (cacheDir !== undefined && (typeof cacheDir !== 'string' || cacheDir === '')) {
    throw mismatch('ERR_ARGUMENT', 'cacheDir', 'a folder', describeValue(cacheDir));
  }
  if (endpoint !== undefined && typeof endpoint !== 'string') {
    throw mismatch('ERR_ARGUMENT', 'remoteHost', 'the address of a hub', describeValue(endpoint));
  }
  const settings = hubSettings(undefined, endpoint);
  return {
    ...settings,
    cacheFolder: cacheDir ?? settings.cacheFolder,
    offline: settings.offline || localFilesOnly === true,
  };
}

async function isCached(source: string, options: SourceOptions): Promise<boolean> {
  const { revision = 'main', part } = options;
  const settings = settingsOf(options);
  for (const id of possibleIds(source)) {
    const cached = await cachedSnapshot(id, { revision, settings, part });
    if (cached?.isUsable || cached?.problem) return true;
  }
  return false;
}

/** @param source a hub id; a bare name that is none may be one of sentence-transformers. @throws as `resolveSource`. */
export async function fetchFromHub(source: string, options: SourceOptions = {}): Promise<Snapshot> {
  const { revision = 'main', part, signal, onDownload } = options;
  const settings = settingsOf(options);
  const request = { revision, settings, part, signal, onProgress: onDownload };
  const ids = possibleIds(source);
  for (const id of ids) {
    if ((await cachedSnapshot(id, request))?.isUsable) return fetchSnapshot(id, request);
  }
  let first: unknown;
  for (const id of ids) {
    try {
      return await fetchSnapshot(id, request);
    } catch (error) {
      first ??= error;
      // To who has no token, the hub does not say whether a model is not there or private.
      const isUnknown =
        error instanceof HubError && (error.fault === 'repository' || error.fault === 'access');
      if (!isUnknown) throw error;
    }
  }
  throw first;
}

export { defaultModelFolder, defaultModelName } from '../checkpoints/default_model.js';
export type { OnDownload } from '../hub/progress.js';
