import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { HeddleError, mismatch } from '../errors.js';
import { packageRoot } from '../native.js';
import { AsyncTokenizer } from '../text/async_tokenizer.js';
import { Tokenizer } from '../text/tokenizer.js';

/** The tokenizer beside the weights, or none where there is neither a tokenizer.json nor an older vocabulary. */
export async function openTokenizer(folder: string): Promise<AsyncTokenizer | undefined> {
  const worker = pathToFileURL(join(packageRoot(), 'dist', 'tokenizer-worker.mjs'));
  try {
    return new AsyncTokenizer(await Tokenizer.load(folder), worker);
  } catch (error) {
    if (error instanceof HeddleError && error.code === 'ERR_NOT_FOUND') return undefined;
    throw error;
  }
}

/** Throws ERR_CONFIG where the tokenizer has ids that the model has no embeddings for. */
export function checkTokenizer(tokenizer: AsyncTokenizer | undefined, vocabSize: number): void {
  if (tokenizer === undefined || tokenizer.tokenizer.idBound <= vocabSize) return;
  const { idBound, path } = tokenizer.tokenizer;
  throw mismatch(
    'ERR_CONFIG',
    path,
    `ids below ${vocabSize}, the model's vocabulary`,
    `ids up to ${idBound - 1}; it is the tokenizer of another model, or its added tokens are not in the checkpoint`,
  );
}
