/** A cache of its own for each test, and what it holds. */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type HubSettings, hubSettings } from '../../lib/checkpoints/hub_cache.js';
import type { HeddleError } from '../../lib/errors.js';
import {
  sentenceTransformers,
  temporaryFolder,
  tinyBert,
  tinyFolder,
} from '../tasks/tiny_model.js';
import type { Files } from './hub_server.js';

export const id = 'someone/tiny';

/** Settings for a hub, with waits too short to notice. */
export async function settingsFor(
  { endpoint }: { endpoint: string },
  changes: Partial<HubSettings> = {},
): Promise<HubSettings> {
  const cacheFolder = changes.cacheFolder ?? join(await temporaryFolder(), 'hub');
  const environment = { HF_ENDPOINT: endpoint, HF_HUB_CACHE: cacheFolder, HF_HOME: cacheFolder };
  return { ...hubSettings(environment), firstWait: 1, attempts: 3, ...changes };
}

/** An address where nobody listens. */
export const nowhere = await new Promise<string>((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    server.close(() => resolve(`http://127.0.0.1:${port}`));
  });
});

/** The files of a folder, by path. */
export async function filesOf(folder: string): Promise<Files> {
  const files: Files = {};
  for (const path of listing(folder)) files[path] = await readFile(join(folder, path));
  return files;
}

/** Paths of all files and links in a folder, sorted. */
export function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .map((path) => path.replaceAll('\\', '/'))
    .sort();
}

/** A sentence-transformers model with what other software keeps beside it. */
export const tinyModel: Files = {
  ...(await filesOf(
    await tinyFolder({
      from: tinyBert,
      files: sentenceTransformers({}, { prompts: { prompts: { query: 'ab: ' } } }),
    }),
  )),
  'README.md': '# tiny',
  'pytorch_model.bin': 'pickle',
  'onnx/model.onnx': 'onnx',
  'tf_model.h5': 'h5',
  'flax_model.msgpack': 'msgpack',
  'vocab.txt': 'a',
};

/** What Heddle fetches of it. */
export const neededOfTiny = [
  '1_Pooling/config.json',
  'config.json',
  'config_sentence_transformers.json',
  'model.safetensors',
  'modules.json',
  'sentence_bert_config.json',
  'tokenizer.json',
];

export async function failure(promise: Promise<unknown>): Promise<HeddleError> {
  return promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error) => error,
  );
}
