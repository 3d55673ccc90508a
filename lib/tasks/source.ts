import { stat } from 'node:fs/promises';
import { findInHubCache } from '../checkpoints/hub_cache.js';
import { HeddleError, mismatch } from '../errors.js';

/** The folder that a source means: itself, or the snapshot of a hub id in the local cache. */
export async function resolveSource(source: string, revision?: string): Promise<string> {
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
  const cached = await findInHubCache(source, revision);
  if (cached !== undefined) return cached;
  throw new HeddleError(
    'ERR_NOT_FOUND',
    `${source}: expected a folder, or a hub id that is in the Hugging Face cache; found neither`,
    { where: source },
  );
}

export { defaultModelFolder, defaultModelName } from '../checkpoints/default_model.js';
