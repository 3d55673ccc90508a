/**
 * Where models lie on this machine: the cache that Python's huggingface_hub fills
 * (https://huggingface.co/docs/huggingface_hub/guides/manage-cache), by its layout alone, and Heddle's
 * own. The only reader of HF_* variables; nothing here touches a network.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** $XDG_CACHE_HOME, or ~/.cache. */
function cacheHome(environment: Environment): string {
  return environment.XDG_CACHE_HOME || join(homedir(), '.cache');
}

/** Heddle's folder for models: `heddle/models` in the user's cache. */
export function ownModelsFolder(environment: Environment = process.env): string {
  return join(cacheHome(environment), 'heddle', 'models');
}

/**
 * The folder of a model that scripts/fetch-minilm.mjs has put there, by its name on the hub with its organisation or without;
 * undefined when it is not there. Somebody else's model of the same name is another model.
 */
export function findInOwnModels(
  id: string,
  environment: Environment = process.env,
): string | undefined {
  const name = /^(?:sentence-transformers\/)?([A-Za-z0-9][\w.-]*)$/.exec(id)?.[1];
  if (name === undefined) return undefined;
  const folder = join(ownModelsFolder(environment), name);
  return existsSync(join(folder, 'model.safetensors')) ? folder : undefined;
}

/** $HF_HUB_CACHE (or its older name), else `hub` in $HF_HOME, else `huggingface/hub` in the user's cache. */
export function hubCacheFolder(environment: Environment = process.env): string {
  const explicit = environment.HF_HUB_CACHE || environment.HUGGINGFACE_HUB_CACHE;
  const home = environment.HF_HOME || join(cacheHome(environment), 'huggingface');
  return explicit || join(home, 'hub');
}

/**
 * The snapshot folder of a hub id in the local cache; undefined when it is not there, or is no hub id.
 * @param id `org/name`; a bare name may also be one of the organisation sentence-transformers.
 * @param revision a commit, branch or tag.
 */
export function findInHubCache(
  id: string,
  revision = 'main',
  environment: Environment = process.env,
): string | undefined {
  const names = id.includes('/') ? [id] : [id, `sentence-transformers/${id}`];
  for (const name of names) {
    // Each part begins with a letter or digit, so none is '..'; '--' separates parts in the cache.
    if (!/^[A-Za-z0-9][\w.-]*(?:\/[A-Za-z0-9][\w.-]*)?$/.test(name) || name.includes('--'))
      continue;
    const folder = join(hubCacheFolder(environment), `models--${name.replace('/', '--')}`);
    const commit = isCommit(revision) ? revision : commitOf(folder, revision);
    if (commit === undefined) continue;
    const snapshot = join(folder, 'snapshots', commit);
    if (statSync(snapshot, { throwIfNoEntry: false })?.isDirectory()) return snapshot;
  }
  return undefined;
}

const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

/** A branch or tag (`main`, `refs/pr/1`) is a file with a commit in it. */
function commitOf(folder: string, revision: string): string | undefined {
  const parts = revision.split('/');
  if (!parts.every((part) => /^\w[\w.-]*$/.test(part))) return undefined;
  try {
    const commit = readFileSync(join(folder, 'refs', ...parts), 'utf8').trim();
    return isCommit(commit) ? commit : undefined;
  } catch {
    return undefined; // no such branch in the cache
  }
}
