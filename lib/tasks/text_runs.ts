import { HeddleError, mismatch } from '../errors.js';
import { describeValue } from '../graph/options.js';
import type { AsyncTokenizer, EncodedChunk, TextInput } from '../text/async_tokenizer.js';
import type { CompactEncoding } from '../text/encoding.js';
import type { RequestBatches, TextGraph } from './request_batches.js';

/** What happens to texts with more tokens than are kept. */
export interface TruncationOptions {
  /** `true` (the default) cuts them; `'error'` refuses them with ERR_INPUT. */
  truncation?: true | 'error';
  /** Called at the end of a call in which texts were cut, with their number and the tokens kept of each. */
  onTruncate?: (cut: { count: number; maxLength: number }) => void;
}

export const truncationNames = ['truncation', 'onTruncate'] as const;

export interface TextRunOptions extends TruncationOptions {
  /** Tokens kept of a text. */
  maxLength: number;
  /** Whether encodings have their offsets; default false. */
  offsets?: boolean;
  addSpecialTokens?: boolean;
  /** Called with each encoding before it is run, to throw for what the task cannot take. */
  check?: (encoding: CompactEncoding, text: number) => void;
  /** An id that is left out after tokenising. */
  dropId?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/**
 * Tokens in one run of the model. The activations of a chunk this size stay in the cache, and several chunks let
 * tokenising run beside the arithmetic and an abort take effect soon.
 */
export const chunkTokens = 768;

/** Chunks of one call that wait in the engine at once, so that it never waits for the tokenizer. */
const chunksAhead = 2;

/**
 * Tokenises texts in chunks, each packed without padding into one run of the model, and calls `each` with the result of
 * every text. Chunks may end in another order than that of the texts.
 * @param what names the call in errors.
 * @throws ERR_INPUT for a text that is too long where truncation is an error; `signal.reason`; what runs throw.
 */
export async function runTexts<R>(
  { tokenizer, batches }: { tokenizer: AsyncTokenizer; batches: RequestBatches },
  what: string,
  graph: TextGraph<R>,
  texts: readonly TextInput[],
  options: TextRunOptions,
  each: (result: R, encoding: CompactEncoding, text: number) => void,
): Promise<void> {
  const { maxLength, offsets = false, addSpecialTokens, dropId, signal, onProgress } = options;
  checkTruncation(what, options);
  signal?.throwIfAborted();
  const running = new Set<Promise<void>>();
  let [done, cut] = [0, 0];
  const runChunk = async ({ from, encodings }: EncodedChunk): Promise<void> => {
    encodings.forEach(({ overflowed }, i) => {
      if (!overflowed) return;
      cut++;
      if (options.truncation === 'error') throw tooLong(what, texts.length, from + i, maxLength);
    });
    if (options.check) encodings.forEach((encoding, i) => void options.check?.(encoding, from + i));
    const kept = dropId === undefined ? encodings : encodings.map((one) => without(one, dropId));
    const results = await batches.submit(graph, kept, signal);
    results.forEach((result, i) => {
      each(result, kept[i], from + i);
    });
    done += results.length;
    onProgress?.({ done, total: texts.length });
  };
  const limit = maxLength === Infinity ? undefined : maxLength;
  const encoding = { chunkTokens, maxLength: limit, offsets, addSpecialTokens };
  for await (const chunk of tokenizer.encodeChunks(texts, encoding, signal)) {
    const run = runChunk(chunk);
    running.add(run);
    run.then(
      () => running.delete(run),
      () => undefined, // stays in the set, whose next await throws it
    );
    if (running.size >= chunksAhead) await Promise.race(running);
  }
  await Promise.all(running);
  if (cut > 0) options.onTruncate?.({ count: cut, maxLength });
}

/** Throws ERR_ARGUMENT for a truncation that there is not. */
export function checkTruncation(what: string, { truncation, onTruncate }: TruncationOptions): void {
  if (truncation !== undefined && truncation !== true && truncation !== 'error') {
    const found = describeValue(truncation);
    throw mismatch('ERR_ARGUMENT', `${what}: truncation`, "true or 'error'", found);
  }
  if (onTruncate !== undefined && typeof onTruncate !== 'function') {
    const found = describeValue(onTruncate);
    throw mismatch('ERR_ARGUMENT', `${what}: onTruncate`, 'a function', found);
  }
}

export function tooLong(what: string, count: number, text: number, maxLength: number): HeddleError {
  const where = count === 1 ? `${what}: the text` : `${what}: texts[${text}]`;
  return new HeddleError(
    'ERR_INPUT',
    `${where}: expected at most ${maxLength} tokens, found more; shorten it, or leave out truncation: 'error' to have it cut`,
    { where, expected: `at most ${maxLength} tokens` },
  );
}

/** An encoding without the tokens of one id. */
function without({ ids, typeIds, overflowed }: CompactEncoding, id: number): CompactEncoding {
  return {
    ids: ids.filter((other) => other !== id),
    typeIds: typeIds.filter((_, i) => ids[i] !== id),
    overflowed,
  };
}

/**
 * Texts as callers give them, one or several.
 * @throws ERR_INPUT for anything else.
 */
export function textList(what: string, texts: unknown): string[] {
  if (typeof texts === 'string') return [texts];
  if (!Array.isArray(texts)) {
    throw mismatch('ERR_INPUT', what, 'a text or an array of texts', describeValue(texts));
  }
  // Array.from, as a hole is no text either.
  return Array.from(texts, (text: unknown, i) => {
    if (typeof text === 'string') return text;
    throw mismatch('ERR_INPUT', `${what}: texts[${i}]`, 'a string', describeValue(text));
  });
}
