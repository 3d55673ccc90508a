import { setImmediate } from 'node:timers/promises';
import { HeddleError } from '../errors.js';
import type { CompactEncoding, EncodeOptions } from './encoding.js';
import type { Tokenizer } from './tokenizer.js';
import { TokenizerThread } from './tokenizer_thread.js';

/** A text, or a pair of texts. */
export type TextInput = string | readonly [text: string, pair: string];

export interface EncodeAllOptions extends Omit<EncodeOptions, 'pair'> {
  /** Whether encodings have their `offsets`; default false. */
  offsets?: boolean;
}

export interface EncodeChunksOptions extends EncodeAllOptions {
  /** A chunk is given as soon as it has so many ids. */
  chunkTokens: number;
}

/** Encodings of neighbouring texts, the first of which is number `from`. */
export interface EncodedChunk {
  from: number;
  encodings: CompactEncoding[];
}

/** How long the event loop is held at a time, in ms; the text that passes it is still finished. */
const sliceMs = 2;

/** The longest text, in ASCII characters, that is tokenised on the event loop's thread. */
const longestHere = 2000;

/** A character outside ASCII is counted as so many. */
const otherCharacterCost = 4;

/** How many long texts are copied to the worker thread before their turn. */
const sentAhead = 2;

/** How many texts ahead the long ones are looked for. */
const lookAhead = 64;

/**
 * Tokenises many texts without holding the event loop for more than a few milliseconds: short texts
 * here, in slices of time; long ones in a worker thread that starts with the first of them.
 */
export class AsyncTokenizer {
  private readonly thread: TokenizerThread;
  private disposed = false;

  /** @param workerFile the built lib/worker/tokenizer.ts. */
  constructor(
    readonly tokenizer: Tokenizer,
    workerFile: URL,
  ) {
    this.thread = new TokenizerThread(workerFile, { path: tokenizer.path });
  }

  /**
   * Encodings of all texts, in their order.
   * @throws what `Tokenizer.encode` throws; `signal.reason`, between texts; ERR_DISPOSED; ERR_ENGINE.
   */
  async encodeAll(
    texts: readonly TextInput[],
    options: EncodeAllOptions = {},
    signal?: AbortSignal,
  ): Promise<CompactEncoding[]> {
    const chunks = this.encodeChunks(texts, { ...options, chunkTokens: Infinity }, signal);
    for await (const { encodings } of chunks) return encodings;
    return [];
  }

  /** Encodings of all texts in chunks, so that a caller can work on one while the next is made. */
  async *encodeChunks(
    texts: readonly TextInput[],
    options: EncodeChunksOptions,
    signal?: AbortSignal,
  ): AsyncGenerator<EncodedChunk, void, undefined> {
    const { chunkTokens, offsets = false, addSpecialTokens, maxLength } = options;
    const single: EncodeOptions = { addSpecialTokens, maxLength };
    const inThread = new Map<number, Promise<CompactEncoding>>();
    let looked = 0;
    const sendAhead = (i: number): void => {
      for (
        ;
        looked < Math.min(texts.length, i + lookAhead) && inThread.size < sentAhead;
        looked++
      ) {
        const { text, encodeOptions } = request(texts[looked]!, single);
        if (!isLong(text, encodeOptions.pair)) continue;
        const encoding = this.thread.encode(text, encodeOptions, offsets);
        encoding.catch(() => {}); // it may be given up before its turn
        inThread.set(looked, encoding);
      }
    };

    let chunk: EncodedChunk = { from: 0, encodings: [] };
    let tokens = 0;
    let sliceEnd = performance.now() + sliceMs;
    for (let i = 0; i < texts.length; i++) {
      this.checkAlive();
      signal?.throwIfAborted();
      sendAhead(i);
      const sent = inThread.get(i);
      let encoding: CompactEncoding;
      if (sent !== undefined) {
        encoding = await unlessAborted(sent, signal);
        inThread.delete(i);
        sliceEnd = performance.now() + sliceMs;
      } else {
        const { text, encodeOptions } = request(texts[i]!, single);
        encoding = this.tokenizer.encodeCompact(text, encodeOptions, offsets);
      }
      chunk.encodings.push(encoding);
      tokens += encoding.ids.length;
      if (tokens >= chunkTokens) {
        yield chunk;
        chunk = { from: i + 1, encodings: [] };
        tokens = 0;
        sliceEnd = performance.now() + sliceMs;
      } else if (performance.now() >= sliceEnd) {
        await setImmediate();
        sliceEnd = performance.now() + sliceMs;
      }
    }
    signal?.throwIfAborted();
    if (chunk.encodings.length > 0) yield chunk;
  }

  private checkAlive(): void {
    if (this.disposed) throw new HeddleError('ERR_DISPOSED', 'the tokenizer was disposed');
  }

  /** Ends the worker thread; texts still with it are given up. */
  dispose(): void {
    this.disposed = true;
    this.thread.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function request(
  input: TextInput,
  options: EncodeOptions,
): { text: string; encodeOptions: EncodeOptions } {
  if (!Array.isArray(input)) return { text: input as string, encodeOptions: options };
  const [text, pair] = input as readonly [string, string];
  return { text, encodeOptions: { ...options, pair } };
}

/** What is no string is short: `encode` says what is wrong with it. */
function isLong(text: string, pair: string | undefined): boolean {
  return cost(text) + (pair === undefined ? 0 : cost(pair)) > longestHere;
}

function cost(text: string): number {
  if (typeof text !== 'string') return 0;
  const { length } = text;
  if (length * otherCharacterCost <= longestHere || length > longestHere) return length;
  let others = 0;
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) > 0x7f) others++;
  return length + others * (otherCharacterCost - 1);
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const settled = (): void => signal.removeEventListener('abort', onAbort);
    promise.then(resolve, reject).finally(settled);
  });
}
