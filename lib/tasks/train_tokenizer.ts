import { stat } from 'node:fs/promises';
import { HeddleError } from '../errors.js';
import type { TrainTokenizerOptions } from '../text/tokenizer_training_options.js';
import { type TrainedTokenizer, trainTokenizer } from '../text/train_tokenizer.js';
import type { TokenizerProgress } from '../text/training_pace.js';
import { utf8Lines } from '../text/utf8_lines.js';

export type { TokenizerType as TokenizerKind } from '../text/tokenizer_training_options.js';
export { tokenizerTypes as tokenizerKinds } from '../text/tokenizer_training_options.js';

/**
 * Learns a tokenizer from the lines of files, which are read once, one after the other.
 * @param options `onProgress` gets bytes while words are counted.
 * @throws what `trainTokenizer` throws; ERR_FILE; ERR_FORMAT, naming file and line, for what is not UTF-8.
 */
export async function trainTokenizerOnFiles(
  files: readonly string[],
  options: TrainTokenizerOptions = {},
): Promise<TrainedTokenizer> {
  const { signal, onProgress } = options;
  const sizes = await Promise.all(files.map(sizeOf));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let read = 0;
  const onRead = (bytes: number): void => {
    read += bytes;
  };
  async function* lines(): AsyncGenerator<string> {
    for (const file of files) yield* utf8Lines(file, { signal, onRead });
  }
  const reporting = (progress: TokenizerProgress): void =>
    onProgress?.(progress.stage === 'count' ? { stage: 'count', done: read, total } : progress);
  return trainTokenizer(lines(), { ...options, ...(onProgress ? { onProgress: reporting } : {}) });
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (cause) {
    const message = `${file}: cannot be read (${(cause as Error).message})`;
    throw new HeddleError('ERR_FILE', message, { where: file, cause });
  }
}
