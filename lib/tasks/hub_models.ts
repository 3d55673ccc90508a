/** The models in the cache of this machine: what `heddle models` does. */
import { hubSettings, isHubId, possibleIds } from '../checkpoints/hub_cache.js';
import { HeddleError, mismatch } from '../errors.js';
import {
  type CachedModel,
  cachedModels,
  hasAnything,
  type OwnModel,
  ownModels,
  removeCached,
} from '../hub/cached_models.js';
import type { Snapshot } from '../hub/snapshot.js';
import { fetchFromHub, type SourceOptions } from './source.js';

export interface ModelList {
  /** The Hugging Face cache. */
  folder: string;
  models: CachedModel[];
  /** In Heddle's own cache, where `npm start` puts its model. */
  own: OwnModel[];
}

export async function listModels(): Promise<ModelList> {
  const settings = hubSettings();
  const [models, own] = await Promise.all([cachedModels(settings), ownModels()]);
  return { folder: settings.cacheFolder, models, own };
}

/** Fetches the files of a hub id that Heddle reads. @throws ERR_ARGUMENT for what is no hub id; as `load`. */
export async function getModel(id: string, options: SourceOptions = {}): Promise<Snapshot> {
  if (!isHubId(id)) throw mismatch('ERR_ARGUMENT', 'models get', 'a hub id', `'${id}'`);
  return fetchFromHub(id, options);
}

/**
 * Takes a model from the cache: one revision (a commit, the first digits of one, a branch or a tag), else all.
 * What other revisions use stays.
 * @throws ERR_ARGUMENT for what is no hub id, ERR_NOT_FOUND for what is not in the cache.
 */
export async function removeModel(
  id: string,
  revision?: string,
): Promise<{ id: string; commits: string[]; bytes: number }> {
  if (!isHubId(id)) throw mismatch('ERR_ARGUMENT', 'models remove', 'a hub id', `'${id}'`);
  const settings = hubSettings();
  const own = possibleIds(id).find((name) => hasAnything(settings, name));
  const found = (await cachedModels(settings)).filter((model) => model.id === own);
  const meant = found.filter(
    ({ commit, refs }) =>
      revision === undefined ||
      refs.includes(revision) ||
      (/^[0-9a-f]{7,}$/.test(revision) && commit.startsWith(revision)),
  );
  if (own === undefined || (revision !== undefined && meant.length === 0)) {
    const where = settings.cacheFolder;
    const what = own === undefined ? id : `${id} at '${revision}'`;
    throw new HeddleError(
      'ERR_NOT_FOUND',
      `${what}: not in the cache ${where}; heddle models list shows what is`,
      { where },
    );
  }
  const commits = meant.map(({ commit }) => commit);
  let bytes = 0;
  if (meant.length === found.length) bytes = await removeCached(settings, own);
  else for (const commit of commits) bytes += await removeCached(settings, own, commit);
  return { id: own, commits, bytes };
}
