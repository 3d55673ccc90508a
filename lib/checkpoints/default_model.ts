import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findInHubCache, ownModelsFolder } from './hub_cache.js';

/** The model of commands that are given none. */
export const defaultModelName = 'sentence-transformers/all-MiniLM-L6-v2';

/**
 * Its folder: in the Hugging Face cache, else where scripts/fetch-minilm.mjs puts it; undefined when it
 * is in neither.
 */
export function defaultModelFolder(): string | undefined {
  const folders = [findInHubCache(defaultModelName), join(ownModelsFolder(), 'all-MiniLM-L6-v2')];
  return folders.find(
    (folder) => folder !== undefined && existsSync(join(folder, 'model.safetensors')),
  );
}
