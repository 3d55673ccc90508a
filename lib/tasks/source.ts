import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { findInHubCache, findInOwnModels } from '../checkpoints/hub_cache.js';
import { HeddleError, mismatch } from '../errors.js';

/**
 * The folder that a source means: itself, or the snapshot of a hub id in the Hugging Face cache, or what lies in Heddle's own
 * cache under this id.
 */
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
  // Heddle's own cache has one revision. A snapshot of config.json alone, as Python leaves it, does not hide it.
  const own = revision === undefined || revision === 'main' ? findInOwnModels(source) : undefined;
  if (own && !(cached && existsSync(join(cached, 'model.safetensors')))) return own;
  if (cached !== undefined) return cached;
  throw new HeddleError(
    'ERR_NOT_FOUND',
    `${source}: expected a folder, or a hub id that is in the Hugging Face cache or Heddle's own; found none of them`,
    { where: source },
  );
}

export { defaultModelFolder, defaultModelName } from '../checkpoints/default_model.js';
