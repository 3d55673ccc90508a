import { setImmediate } from 'node:timers/promises';
import { mismatch } from '../errors.js';
import { checkOptions, describeValue } from '../graph/options.js';
import type { DecoderEngine } from '../models/decoder_engine.js';
import { checkLogits, logSumExp } from './log_probabilities.js';

export interface PerplexityOptions {
  /** Ids that are read together, from 2 to the model's context, which is the default (as much of it as the cache holds). */
  window?: number;
  /** Ids from the beginning of a window to that of the next, below `window`; default: half of it. */
  stride?: number;
  signal?: AbortSignal;
  /** Called with how many of the text's ids are judged. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

export interface Perplexity {
  /** exp of the mean of −ln p(id | the ids before it in its window). */
  perplexity: number;
  /** Ids that were predicted: all but the first. */
  tokens: number;
}

/** Logits that are held at a time. */
const chunkLogits = 2 ** 22;

/**
 * How well a model foresees a text. Where the text is longer than a window, windows overlap, and each judges the ids that
 * those before it have not, so that every id has at least `window − stride` ids before it (but for the first ids of the text).
 * @param ids of the engine's vocabulary. @param room the longest window.
 * @throws ERR_INPUT for fewer than two ids; ERR_ARGUMENT for options; ERR_ENGINE for logits that are no numbers; the signal's reason.
 */
export async function perplexityOf(
  engine: DecoderEngine,
  ids: readonly number[],
  room: number,
  options: PerplexityOptions = {},
): Promise<Perplexity> {
  const { window, stride } = windowsOf(options, room);
  const { signal, onProgress } = options;
  const total = ids.length - 1;
  if (total < 1) throw mismatch('ERR_INPUT', 'perplexity', 'at least two ids', `${ids.length}`);
  let sum = 0;
  // The first id that no window has judged.
  let target = 1;
  for (let begin = 0; target < ids.length; begin += stride) {
    const end = Math.min(begin + window, ids.length);
    for await (const logprob of logprobsOf(engine, ids, { begin, target, end }, signal)) {
      sum += logprob;
      target++;
      onProgress?.({ done: target - 1, total });
    }
  }
  return { perplexity: Math.exp(-sum / total), tokens: total };
}

function windowsOf(options: PerplexityOptions, room: number): { window: number; stride: number } {
  checkOptions('perplexity', options, ['window', 'stride', 'signal', 'onProgress']);
  const { window = room, stride = Math.max(1, Math.floor(window / 2)) } = options;
  const check = (name: string, value: number, least: number, most: number): void => {
    if (Number.isInteger(value) && value >= least && value <= most) return;
    const expected = `a whole number from ${least} to ${most}`;
    throw mismatch('ERR_ARGUMENT', `perplexity: ${name}`, expected, describeValue(value));
  };
  check('window', window, 2, room);
  check('stride', stride, 1, window - 1);
  return { window, stride };
}

/** ln p of the ids from `target` to `end`, in a text that begins at `begin`. */
async function* logprobsOf(
  engine: DecoderEngine,
  ids: readonly number[],
  { begin, target, end }: { begin: number; target: number; end: number },
  signal: AbortSignal | undefined,
): AsyncGenerator<number, void, undefined> {
  const { vocabSize } = engine;
  const chunk = Math.max(1, Math.floor(chunkLogits / vocabSize));
  const sequence = engine.begin([], end - begin);
  try {
    signal?.throwIfAborted();
    if (target - 1 > begin) {
      const before = ids.slice(begin, target - 1);
      await engine.step([{ sequence, ids: before, wantsLogits: false }], { signal });
    }
    for (let first = target - 1; first < end - 1; first += chunk) {
      const given = ids.slice(first, Math.min(first + chunk, end - 1));
      const item = { sequence, ids: given, wantsLogits: 'all' as const };
      const [rows] = await engine.step([item], { signal });
      for (let i = 0; i < given.length; i++) {
        // A sum over a large vocabulary takes a millisecond: others have their turn in between.
        if (i % 8 === 7) await setImmediate();
        signal?.throwIfAborted();
        const row = rows!.subarray(i * vocabSize, (i + 1) * vocabSize);
        const position = first + i + 1;
        const normalizer = logSumExp(row, checkLogits(row, position - begin));
        yield row[ids[position]!]! - normalizer;
      }
    }
  } finally {
    engine.free(sequence);
  }
}
