import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findInHubCache, findInOwnModels } from './hub_cache.js';

/** The model of commands that are given none. */
export const defaultModelName = 'sentence-transformers/all-MiniLM-L6-v2';

/**
 * Its folder: in the Hugging Face cache, else where scripts/fetch-minilm.mjs puts it; undefined when it
 * is in neither.
 */
export function defaultModelFolder(): string | undefined {
  const cached = findInHubCache(defaultModelName);
  const isWhole = cached !== undefined && existsSync(join(cached, 'model.safetensors'));
  return isWhole ? cached : findInOwnModels(defaultModelName);
}
