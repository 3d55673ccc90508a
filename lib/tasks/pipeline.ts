import { mismatch } from '../errors.js';
import { checkOptions } from '../graph/options.js';
import type { Pooling } from '../ops/index.js';
import { type LoadOptions, loadEncoder } from './load.js';
import type { EncoderModel, Model } from './model.js';

/** A dense array in the shape that @huggingface/transformers gives its results. */
export class ResultTensor {
  readonly type = 'float32';

  constructor(
    readonly data: Float32Array,
    readonly dims: readonly number[],
  ) {}

  get size(): number {
    return this.data.length;
  }

  /** Nested arrays. */
  tolist(): unknown {
    const nest = (dim: number, begin: number, length: number): unknown => {
      if (dim === this.dims.length) return this.data[begin];
      const stride = length / (this.dims[dim] || 1);
      return Array.from({ length: this.dims[dim] }, (_, i) =>
        nest(dim + 1, begin + i * stride, stride),
      );
    };
    return nest(0, 0, this.data.length);
  }
}

export interface FeatureExtractionOptions {
  /** `none` (the default) gives every token's vector; `first_token` is another name of `cls`, `eos` of `last_token`. */
  pooling?: 'none' | 'mean' | 'cls' | 'first_token' | 'last_token' | 'eos';
  /** Whether pooled vectors get length 1. */
  normalize?: boolean;
  signal?: AbortSignal;
}

const poolings: Readonly<Record<string, Pooling>> = {
  mean: 'mean',
  cls: 'first',
  first_token: 'first',
  last_token: 'last',
  eos: 'last',
};

export interface FeatureExtraction {
  /** @returns [texts, hidden size], or with pooling `none` [texts, tokens, hidden size] with zeros after shorter texts. */
  (texts: string | readonly string[], options?: FeatureExtractionOptions): Promise<ResultTensor>;
  readonly task: 'feature-extraction';
  readonly model: Model;
  dispose(): Promise<void>;
}

export interface PipelineOptions extends Omit<LoadOptions, 'onProgress'> {
  progress_callback?: LoadOptions['onProgress'];
}

/**
 * Opens a model for a task, with the call and result shapes of @huggingface/transformers.
 * @param task `feature-extraction` is the one there is. @param model a source as `load` takes it.
 * @throws ERR_ARGUMENT, ERR_UNSUPPORTED for another task; what `load` throws.
 */
export async function pipeline(
  task: 'feature-extraction',
  model: string,
  options: PipelineOptions = {},
): Promise<FeatureExtraction> {
  if (task !== 'feature-extraction') {
    throw mismatch('ERR_UNSUPPORTED', 'pipeline', `the task 'feature-extraction'`, `'${task}'`);
  }
  if (typeof model !== 'string') {
    throw mismatch('ERR_ARGUMENT', 'pipeline', 'a model: a folder or a hub id', typeof model);
  }
  checkOptions('pipeline', options, ['dtype', 'revision', 'signal', 'progress_callback']);
  const { progress_callback: onProgress, ...rest } = options;
  const loaded = await loadEncoder(model, { ...rest, onProgress });
  const call = (texts: string | readonly string[], options?: FeatureExtractionOptions) =>
    extract(loaded, texts, options);
  return Object.assign(call, {
    task,
    model: loaded,
    dispose: async () => loaded.dispose(),
  });
}

async function extract(
  model: EncoderModel,
  texts: string | readonly string[],
  given: FeatureExtractionOptions = {},
): Promise<ResultTensor> {
  checkOptions('feature-extraction', given, ['pooling', 'normalize', 'signal']);
  const { pooling = 'none', normalize = false, signal } = given;
  const list = typeof texts === 'string' ? [texts] : texts;
  if (!Array.isArray(list)) {
    const found = typeof list;
    throw mismatch('ERR_INPUT', 'feature-extraction', 'a text or an array of texts', found);
  }
  const options = signal ? { signal } : {};
  if (pooling === 'none') return hiddenStates(model, list, normalize, options);
  if (!Object.hasOwn(poolings, pooling)) {
    const names = Object.keys(poolings).join(', ');
    throw mismatch('ERR_ARGUMENT', 'pooling', `none, ${names}`, `'${pooling}'`);
  }
  // As there, prompts are the caller's business, and the tokenizer's limit is the only one.
  const vectors = await model.embed(list, {
    ...options,
    pooling: poolings[pooling],
    normalize,
    prompt: '',
    maxLength: model.textLimit,
  });
  const width = vectors[0]?.length ?? 0;
  const data = new Float32Array(vectors.length * width);
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
