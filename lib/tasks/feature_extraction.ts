import { mismatch } from '../errors.js';
import { checkOptions } from '../graph/options.js';
import type { Pooling } from '../ops/index.js';
import { tokenOutputs } from './logits.js';
import type { EncoderModel } from './model.js';
import { ResultTensor } from './result_tensor.js';
import { textList } from './text_runs.js';
import { runOptionsOf, type TokenizingOptions, tokenizingNames } from './tokenizing_options.js';
import { quantize } from './vector_precision.js';

export interface FeatureExtractionOptions extends TokenizingOptions {
  /** `none` (the default) gives every token's vector; `first_token` is another name of `cls`, `eos` of `last_token`. */
  pooling?: 'none' | 'mean' | 'cls' | 'first_token' | 'last_token' | 'eos';
  /** Whether vectors get length 1. */
  normalize?: boolean;
  /** Whether pooled vectors become bits, eight dimensions a byte. */
  quantize?: boolean;
  /** `binary` (the default) gives signed bytes, `ubinary` unsigned ones; see `embed`. */
  precision?: 'binary' | 'ubinary';
  signal?: AbortSignal;
}

/** @returns [texts, hidden size], or with pooling `none` [texts, tokens, hidden size] with zeros after shorter texts. */
export type FeatureExtractionCall = <Q extends boolean = false>(
  texts: string | readonly string[],
  options?: FeatureExtractionOptions & { quantize?: Q },
) => Promise<ResultTensor<Q extends true ? Int8Array | Uint8Array : Float32Array>>;

const poolings: Readonly<Record<string, Pooling>> = {
  mean: 'mean',
  cls: 'first',
  first_token: 'first',
  last_token: 'last',
  eos: 'last',
};

const task = 'feature-extraction';
const optionNames = [
  'pooling',
  'normalize',
  'quantize',
  'precision',
  ...tokenizingNames,
  'signal',
] as const;

export function featureExtraction(model: EncoderModel): FeatureExtractionCall {
  const call = (texts: string | readonly string[], options: FeatureExtractionOptions = {}) =>
    extract(model, texts, options);
  return call as FeatureExtractionCall;
}

async function extract(
  model: EncoderModel,
  texts: string | readonly string[],
  given: FeatureExtractionOptions,
): Promise<ResultTensor<Float32Array | Int8Array | Uint8Array>> {
  checkOptions(task, given, optionNames);
  const { pooling = 'none', normalize = false, quantize: toBits, precision = 'binary' } = given;
  const list = textList(task, texts);
  const options = runOptionsOf(task, given);
  if (pooling === 'none') {
    if (toBits) {
      throw mismatch('ERR_ARGUMENT', `${task}: quantize`, 'a pooling', `'none'`);
    }
    return hiddenStates(model, list, normalize, options);
  }
  if (!Object.hasOwn(poolings, pooling)) {
    const names = Object.keys(poolings).join(', ');
    throw mismatch('ERR_ARGUMENT', 'pooling', `none, ${names}`, `'${pooling}'`);
  }
  if (precision !== 'binary' && precision !== 'ubinary') {
    const where = `${task}: precision`;
    throw mismatch('ERR_ARGUMENT', where, 'binary or ubinary', `'${precision}'`);
  }
  // As there, prompts are the caller's business, and the tokenizer's limit is the only one.
  const vectors = await model.embed(list, {
    ...options,
    pooling: poolings[pooling],
    normalize,
    prompt: '',
    maxLength: Math.min(options.maxLength ?? Infinity, model.textLimit),
  });
  if (!toBits) return joined(vectors, Float32Array);
  return precision === 'binary'
    ? joined(quantize(vectors, 'binary'), Int8Array)
    : joined(quantize(vectors, 'ubinary'), Uint8Array);
}

function joined<T extends Float32Array | Int8Array | Uint8Array>(
  vectors: readonly T[],
  kind: new (length: number) => T,
): ResultTensor<T> {
  const width = vectors[0]?.length ?? 0;
  const data = new kind(vectors.length * width);
  vectors.forEach((vector, i) => {
    data.set(vector, i * width);
  });
  return ResultTensor.of(data, [vectors.length, width]);
}

const tokenVectors = tokenOutputs(['lastHiddenState']);

/** [texts, tokens of the longest, hidden size]. */
async function hiddenStates(
  model: EncoderModel,
  texts: readonly string[],
  normalize: boolean,
  options: ReturnType<typeof runOptionsOf>,
): Promise<ResultTensor> {
  const width = model.encoder.hiddenSize;
  const rows: Float32Array[] = new Array(texts.length);
  await model.runTexts(task, tokenVectors, texts, options, ({ lastHiddenState }, _, i) => {
    if (normalize) normalizeRows(lastHiddenState, width);
    rows[i] = lastHiddenState;
  });
  const longest = rows.reduce((most, { length }) => Math.max(most, length), 0);
  const data = new Float32Array(texts.length * longest);
  rows.forEach((row, i) => {
    data.set(row, i * longest);
  });
  return ResultTensor.of(data, [texts.length, longest / width, texts.length && width]);
}

/** Gives every token's vector length 1, in place. */
function normalizeRows(data: Float32Array, width: number): void {
  for (let begin = 0; begin < data.length; begin += width) {
    const vector = data.subarray(begin, begin + width);
    const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    if (norm > 0) for (let i = 0; i < width; i++) vector[i] /= norm;
  }
}
