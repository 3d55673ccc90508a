import { mismatch } from '../errors.js';
import { checkOptions } from '../graph/options.js';
import type { Pooling } from '../ops/index.js';
import type { EncoderModel } from './model.js';
import { ResultTensor } from './result_tensor.js';
import { textList } from './text_runs.js';
import { quantize } from './vector_precision.js';

export interface FeatureExtractionOptions {
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

const optionNames = ['pooling', 'normalize', 'quantize', 'precision', 'signal'] as const;

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
  checkOptions('feature-extraction', given, optionNames);
  const { pooling = 'none', normalize = false, precision = 'binary', signal } = given;
  const list = textList('feature-extraction', texts);
  const options = signal ? { signal } : {};
  if (pooling === 'none') {
    if (given.quantize) {
      throw mismatch('ERR_ARGUMENT', 'feature-extraction: quantize', 'a pooling', `'none'`);
    }
    return hiddenStates(model, list, normalize, options);
  }
  if (!Object.hasOwn(poolings, pooling)) {
    const names = Object.keys(poolings).join(', ');
    throw mismatch('ERR_ARGUMENT', 'pooling', `none, ${names}`, `'${pooling}'`);
  }
  if (precision !== 'binary' && precision !== 'ubinary') {
    const where = 'feature-extraction: precision';
    throw mismatch('ERR_ARGUMENT', where, 'binary or ubinary', `'${precision}'`);
  }
  // As there, prompts are the caller's business, and the tokenizer's limit is the only one.
  const vectors = await model.embed(list, {
    ...options,
    pooling: poolings[pooling],
    normalize,
    prompt: '',
    maxLength: model.textLimit,
  });
  if (!given.quantize) return joined(vectors, Float32Array);
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
  return new ResultTensor(data, [vectors.length, width]);
}

async function hiddenStates(
  model: EncoderModel,
  texts: readonly string[],
  normalize: boolean,
  options: { signal?: AbortSignal },
): Promise<ResultTensor> {
  const encodings = await model.encode(texts, options.signal);
  if (encodings.length === 0) return new ResultTensor(new Float32Array(0), [0, 0, 0]);
  const { lastHiddenState } = await model.forward(
    {
      inputIds: encodings.map(({ ids }) => Array.from(ids)),
      tokenTypeIds: encodings.map(({ typeIds }) => Array.from(typeIds)),
    },
    { ...options, outputs: ['lastHiddenState'] },
  );
  const { data, shape } = lastHiddenState;
  const result = new ResultTensor(data, shape);
  return normalize ? normalizeTokens(result) : result;
}

/** Gives every token's vector length 1, in place. */
function normalizeTokens(tensor: ResultTensor): ResultTensor {
  const width = tensor.dims.at(-1) ?? 1;
  for (let begin = 0; begin < tensor.size; begin += width) {
    const vector = tensor.data.subarray(begin, begin + width);
    const norm = Math.hypot(...vector);
    if (norm > 0) vector.set(vector.map((value) => value / norm));
  }
  return tensor;
}
