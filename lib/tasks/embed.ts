import { mismatch } from '../errors.js';
import { checkOptions } from '../graph/options.js';
import { type Pooling, poolings } from '../ops/pool.js';
import type { AsyncTokenizer } from '../text/async_tokenizer.js';
import { choosePrompt, prepareText, type TextPreparation } from './prompted_texts.js';
import type { RequestBatches } from './request_batches.js';
import { sentenceVectors } from './sentence_vectors.js';
import { runTexts, type TruncationOptions, textList, truncationNames } from './text_runs.js';
import {
  checkPrecision,
  type Precision,
  quantize,
  type Ranges,
  type Vectors,
} from './vector_precision.js';

/** What a checkpoint says about how its sentence vectors are made. */
export interface EmbeddingDefaults extends TextPreparation {
  /** More than one: their vectors one behind the other, in this order. */
  pooling: readonly Pooling[];
  normalize: boolean;
  /** Tokens kept of a text, special ones included. */
  maxLength: number;
  /** Whether a prompt's tokens take part in the pooling. */
  includePrompt: boolean;
  /** Whether texts get the tokenizer's special tokens; default true. */
  addSpecialTokens?: boolean;
  /** An id whose tokens are left out. */
  dropId?: number | undefined;
}

export interface EmbedOptions<P extends Precision = Precision> extends TruncationOptions {
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
  /** Whether texts get the tokenizer's special tokens; default: as the checkpoint says, mostly true. */
  addSpecialTokens?: boolean;
  /** Keeps the first so many dimensions of each vector; what is left gets length 1 where vectors are normalised. */
  truncateDim?: number;
  /** Numbers of the vectors; default `float32`. */
  precision?: P;
  /** For `int8` and `uint8`: the least and the largest number of each dimension; default: those of this call's vectors. */
  ranges?: Ranges;
  signal?: AbortSignal;
  onProgress?: (progress: { done: number; total: number }) => void;
}

const optionNames: readonly (keyof EmbedOptions)[] = [
  'pooling',
  'normalize',
  'promptName',
  'prompt',
  'maxLength',
  'addSpecialTokens',
  'truncateDim',
  'precision',
  'ranges',
  ...truncationNames,
  'signal',
  'onProgress',
];

/** What `embed` works with. */
export interface EmbedParts {
  readonly tokenizer: AsyncTokenizer;
  readonly batches: RequestBatches;
  readonly defaults: EmbeddingDefaults;
  readonly hiddenSize: number;
  /** Tokens that the model has positions for. */
  readonly positions: number;
}

/** Sentence vectors of texts: tokenised in chunks, each packed without padding into one run of the encoder. */
export async function embed<P extends Precision = 'float32'>(
  parts: EmbedParts,
  texts: string | readonly string[],
  options: EmbedOptions<P>,
): Promise<Vectors<P>> {
  const { tokenizer, defaults } = parts;
  const given = textList('embed', texts);
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
  const { precision = 'float32' as P, ranges, truncateDim } = options;
  const width = pooling.length * parts.hiddenSize;
  const isWidth = Number.isSafeInteger(truncateDim) && Number(truncateDim) >= 1;
  if (truncateDim !== undefined && !(isWidth && truncateDim <= width)) {
    const expected = `a whole number from 1 to ${width}`;
    throw mismatch('ERR_ARGUMENT', 'embed: truncateDim', expected, String(truncateDim));
  }
  checkPrecision(precision, ranges, truncateDim ?? width, given.length);
  const { maxLength: wanted = defaults.maxLength } = options;
  // No limit is one only where the model has none: a table of token vectors.
  if (!((Number.isSafeInteger(wanted) || wanted === parts.positions) && wanted > 0)) {
    const expected = 'a whole number from 1';
    throw mismatch('ERR_ARGUMENT', 'embed: maxLength', expected, String(wanted));
  }
  const { lowerCase, includePrompt, dropId } = defaults;
  const { addSpecialTokens = defaults.addSpecialTokens ?? true } = options;
  if (typeof addSpecialTokens !== 'boolean') {
    const found = typeof addSpecialTokens;
    throw mismatch('ERR_ARGUMENT', 'embed: addSpecialTokens', 'true or false', found);
  }
  const prompt = choosePrompt(defaults, options);
  const prepared = given.map((text) => prepareText(text, prompt, lowerCase));
  const left = includePrompt ? 0 : promptLength(tokenizer, prepareText('', prompt, lowerCase));
  const graph = sentenceVectors({
    pooling,
    normalize,
    promptLength: left,
    width: truncateDim ?? width,
  });
  const vectors: Float32Array[] = new Array(given.length);
  const run = {
    ...(options.truncation === undefined ? {} : { truncation: options.truncation }),
    ...(options.onTruncate === undefined ? {} : { onTruncate: options.onTruncate }),
    maxLength: Math.min(wanted, parts.positions),
    addSpecialTokens,
    dropId,
    signal,
    onProgress,
  };
  await runTexts(parts, 'embed', graph, prepared, run, (vector, _, i) => {
    vectors[i] = vector;
  });
  return quantize(vectors, precision, ranges);
}

/** How many of a text's first tokens are the prompt's: its own tokens without a special one at their end. */
function promptLength({ tokenizer }: AsyncTokenizer, prompt: string): number {
  if (prompt === '') return 0;
  const { ids } = tokenizer.encode(prompt);
  const isSpecial = Object.values(tokenizer.specialIds).includes(ids.at(-1));
  return isSpecial ? ids.length - 1 : ids.length;
}
