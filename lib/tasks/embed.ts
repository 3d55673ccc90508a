import { mismatch } from '../errors.js';
import { checkOptions } from '../graph/options.js';
import type { EncoderRunner } from '../models/encoder_runner.js';
import { type Pooling, poolings } from '../ops/pool.js';
import type { AsyncTokenizer, EncodedChunk } from '../text/async_tokenizer.js';
import { choosePrompt, prepareText, type TextPreparation } from './prompted_texts.js';
import { SentenceVectors } from './sentence_vectors.js';

/** What a checkpoint says about how its sentence vectors are made. */
export interface EmbeddingDefaults extends TextPreparation {
  /** More than one: their vectors one behind the other, in this order. */
  pooling: readonly Pooling[];
  normalize: boolean;
  /** Tokens kept of a text, special ones included. */
  maxLength: number;
  /** Whether a prompt's tokens take part in the pooling. */
  includePrompt: boolean;
}

export interface EmbedOptions {
  /** Overrides the checkpoint's pooling. */
  pooling?: Pooling;
  /** Overrides whether vectors have length 1. */
  normalize?: boolean;
  /** Name of one of the checkpoint's prompts, which is put before each text. */
  promptName?: string;
  /** A prompt of your own; '' for none. */
  prompt?: string;
  /** Tokens kept of a text, up to what the model has positions for; longer texts are cut. */
  maxLength?: number;
  /** Keeps the first so many dimensions of each vector; what is left gets length 1 where vectors are normalised. */
  truncateDim?: number;
  /** Numbers of the vectors: `float32` is the one there is. */
  precision?: 'float32';
  signal?: AbortSignal;
  onProgress?: (progress: { done: number; total: number }) => void;
}

const optionNames: readonly (keyof EmbedOptions)[] = [
  'pooling',
  'normalize',
  'promptName',
  'prompt',
  'maxLength',
  'truncateDim',
  'precision',
  'signal',
  'onProgress',
];

/**
 * Tokens in one run of the model. The activations of a chunk this size stay in the cache, and several chunks let
 * tokenising run beside the arithmetic and an abort take effect soon.
 */
const chunkTokens = 768;

/** Chunks that wait in the engine at once, so that it never waits for the tokenizer. */
const chunksAhead = 2;

/** Sentence vectors of texts: tokenised in chunks, each packed without padding into one run of the encoder. */
export async function embed(
  runner: EncoderRunner,
  tokenizer: AsyncTokenizer,
  defaults: EmbeddingDefaults,
  texts: string | readonly string[],
  options: EmbedOptions,
): Promise<Float32Array[]> {
  const given = typeof texts === 'string' ? [texts] : texts;
  checkTexts(given);
  checkOptions('embed', options, optionNames);
  const { normalize = defaults.normalize, signal, onProgress } = options;
  signal?.throwIfAborted();
  const pooling = options.pooling === undefined ? defaults.pooling : [options.pooling];
  for (const mode of pooling) {
    if (!poolings.includes(mode)) {
      throw mismatch('ERR_ARGUMENT', 'embed: pooling', poolings.join(', '), `'${mode}'`);
    }
  }
  if (typeof normalize !== 'boolean') {
    throw mismatch('ERR_ARGUMENT', 'embed: normalize', 'true or false', typeof normalize);
  }
  const { precision = 'float32', truncateDim } = options;
  if (precision !== 'float32') {
    throw mismatch('ERR_UNSUPPORTED', 'embed: precision', 'float32', `'${precision}'`);
  }
  const width = pooling.length * runner.encoder.hiddenSize;
  const isWidth = Number.isSafeInteger(truncateDim) && Number(truncateDim) >= 1;
  if (truncateDim !== undefined && !(isWidth && truncateDim <= width)) {
    const expected = `a whole number from 1 to ${width}`;
    throw mismatch('ERR_ARGUMENT', 'embed: truncateDim', expected, String(truncateDim));
  }
  const { maxLength: wanted = defaults.maxLength } = options;
  if (!(Number.isSafeInteger(wanted) && wanted > 0)) {
    const expected = 'a whole number from 1';
    throw mismatch('ERR_ARGUMENT', 'embed: maxLength', expected, String(wanted));
  }
  const maxLength = Math.min(wanted, runner.encoder.maxLength);
  const { lowerCase, includePrompt } = defaults;
  const prompt = choosePrompt(defaults, options);
  const prepared = given.map((text) => prepareText(text, prompt, lowerCase));
  const left = includePrompt ? 0 : promptLength(tokenizer, prepareText('', prompt, lowerCase));
  const sentenceVectors = new SentenceVectors(runner, {
    pooling,
    normalize,
    promptLength: left,
    width: truncateDim ?? width,
  });

  const vectors: Float32Array[] = new Array(given.length);
  const running = new Set<Promise<void>>();
  let done = 0;
  const runChunk = async ({ from, encodings }: EncodedChunk): Promise<void> => {
    const results = await sentenceVectors.run(encodings, signal);
    results.forEach((vector, i) => {
      vectors[from + i] = vector;
    });
    done += results.length;
    onProgress?.({ done, total: given.length });
  };
  for await (const chunk of tokenizer.encodeChunks(prepared, { chunkTokens, maxLength }, signal)) {
    const run = runChunk(chunk);
    running.add(run);
    run.then(
      () => running.delete(run),
      () => undefined, // stays in the set, whose next await throws it
    );
    if (running.size >= chunksAhead) await Promise.race(running);
  }
  await Promise.all(running);
  return vectors;
}

function checkTexts(texts: unknown): asserts texts is readonly string[] {
  if (!Array.isArray(texts)) {
    throw mismatch('ERR_INPUT', 'embed', 'a text or an array of texts', typeof texts);
  }
  // Not forEach, which would pass over holes.
  for (let i = 0; i < texts.length; i++) {
    if (typeof texts[i] !== 'string') {
      throw mismatch('ERR_INPUT', `embed: texts[${i}]`, 'a string', typeof texts[i]);
    }
  }
}

/** How many of a text's first tokens are the prompt's: its own tokens without a special one at their end. */
function promptLength({ tokenizer }: AsyncTokenizer, prompt: string): number {
  if (prompt === '') return 0;
  const { ids } = tokenizer.encode(prompt);
  const isSpecial = Object.values(tokenizer.specialIds).includes(ids.at(-1));
  return isSpecial ? ids.length - 1 : ids.length;
}
