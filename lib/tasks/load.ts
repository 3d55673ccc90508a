import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkUnchanged, openCheckpoint } from '../checkpoints/checkpoint.js';
import { readConfig } from '../checkpoints/config.js';
import { CheckpointSource, type WeightDType } from '../checkpoints/parameter_source.js';
import {
  type PoolingMode,
  readSentenceTransformers,
} from '../checkpoints/sentence_transformers.js';
import { HeddleError, mismatch } from '../errors.js';
import { defaultBackend } from '../graph/default_backend.js';
import { checkOptions } from '../graph/options.js';
import { Parameters } from '../graph/parameters.js';
import { Scope } from '../layers/scope.js';
import { architectureOf } from '../models/registry.js';
import { packageRoot } from '../native.js';
import type { Pooling } from '../ops/index.js';
import { AsyncTokenizer } from '../text/async_tokenizer.js';
import { Tokenizer } from '../text/tokenizer.js';
import type { EmbeddingDefaults } from './embed.js';
import { EncoderModel, type Model } from './model.js';
import { resolveSource } from './source.js';

export const weightDTypes: readonly WeightDType[] = ['float32', 'float16', 'bfloat16', 'int8'];

export interface LoadOptions {
  /**
   * How weights are kept in memory; left out: as the checkpoint stores them. `bfloat16` also rounds activations to it
   * before they are multiplied; sums are float32. `int8` keeps matrices as int8 with a scale for each output, and multiplies them with
   * activations as int8 with a scale for each row; sums are int32.
   */
  dtype?: WeightDType;
  /** A commit, branch or tag of a hub id; default `main`. */
  revision?: string;
  signal?: AbortSignal;
  onProgress?: (progress: LoadProgress) => void;
}

export interface LoadProgress {
  /** Files are downloaded, where they are not there; then weights are read. */
  stage: 'download' | 'load';
  /** Bytes so far, and in all of this stage. */
  loaded: number;
  total: number;
}

/**
 * Opens a model as it is: a folder with config.json and safetensors, or a hub id (`org/name`), whose files are downloaded
 * where the Hugging Face cache lacks them; docs/hub.md says when the hub is asked. The tokenizer and how sentence vectors
 * are made are read from the files beside the weights.
 * @throws ERR_ARGUMENT; ERR_NETWORK, ERR_AUTH, ERR_FILE; ERR_NOT_FOUND, ERR_FORMAT, ERR_CONFIG, ERR_UNSUPPORTED, ERR_SHAPE, naming the file and what was expected.
 */
export async function load(source: string, options: LoadOptions = {}): Promise<Model> {
  checkOptions('load', options, ['dtype', 'revision', 'signal', 'onProgress']);
  return loadEncoder(source, options);
}

/** `load` with what only tasks need. */
export async function loadEncoder(source: string, options: LoadOptions): Promise<EncoderModel> {
  const { dtype, revision, signal, onProgress } = options;
  if (dtype !== undefined && !weightDTypes.includes(dtype)) {
    throw mismatch('ERR_UNSUPPORTED', 'dtype', weightDTypes.join(', '), `'${dtype}'`);
  }
  signal?.throwIfAborted();
  const onDownload = onProgress && reporting('download', onProgress);
  const sourceFolder = await resolveSource(source, { revision, signal, onDownload });
  const description = await readSentenceTransformers(sourceFolder);
  const folder = description.transformerFolder;
  const config = await readConfig(folder);
  const { name, architecture } = naming(config.file, () =>
    architectureOf(config.architectures, config.modelType),
  );
  const checkpoint = await openCheckpoint(folder);
  const weights = new CheckpointSource(checkpoint.tensors, {
    prefix: architecture.prefix,
    dtype,
    where: folder,
  });
  const parameters = new Parameters(weights);
  const compute = dtype === 'bfloat16' ? 'bfloat16' : 'float32';
  const scope = new Scope(parameters, '', compute);
  const encoder = naming(config.file, () => architecture.build(config, scope));
  const backend = defaultBackend();
  try {
    const tokenizer = await openTokenizer(folder);
    await parameters.load(backend, {
      signal,
      onProgress: onProgress && reporting('load', onProgress),
    });
    await checkUnchanged(checkpoint);
    const longest = encoder.maxLength;
    const ownLimit = tokenizer?.tokenizer.settings.modelMaxLength;
    const embedding: EmbeddingDefaults = {
      pooling: description.pooling.map((mode) => poolings[mode]),
      normalize: description.normalize,
      maxLength: Math.min(description.maxLength ?? ownLimit ?? longest, longest),
      prompts: description.prompts,
      defaultPrompt: description.defaultPrompt,
      includePrompt: description.includePrompt,
      lowerCase: description.lowerCase,
    };
    const parts = {
      architecture: name,
      config: config.fields,
      encoder,
      parameters,
      tokenizer,
      embedding,
      backend,
    };
    return new EncoderModel(parts);
  } catch (error) {
    parameters.dispose();
    throw error;
  }
}

/** Says which stage it is that makes progress. */
function reporting(
  stage: LoadProgress['stage'],
  onProgress: (progress: LoadProgress) => void,
): (progress: { loaded: number; total: number }) => void {
  return ({ loaded, total }) => onProgress({ stage, loaded, total });
}

/** Lets errors about what a config says, which models throw without knowing the file, name it. */
function naming<T>(file: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof HeddleError) || error.message.includes(dirname(file))) throw error;
    const { code, expected, found } = error;
    const message = `${file}: ${error.message.replace(/^config\.json: /, '')}`;
    throw new HeddleError(code, message, {
      where: file,
      cause: error,
      ...(expected === undefined ? {} : { expected }),
      ...(found === undefined ? {} : { found }),
    });
  }
}

/** The tokenizer beside the weights, or none where there is no tokenizer.json. */
async function openTokenizer(folder: string): Promise<AsyncTokenizer | undefined> {
  const worker = pathToFileURL(join(packageRoot(), 'dist', 'tokenizer-worker.mjs'));
  try {
    return new AsyncTokenizer(await Tokenizer.load(folder), worker);
  } catch (error) {
    if (error instanceof HeddleError && error.code === 'ERR_NOT_FOUND') return undefined;
    throw error;
  }
}

/** sentence-transformers' names of the poolings that there are. */
const poolings: Readonly<Record<PoolingMode, Pooling>> = {
  mean: 'mean',
  cls: 'first',
  lasttoken: 'last',
  max: 'max',
  mean_sqrt_len_tokens: 'meanSqrtLength',
  weightedmean: 'weightedMean',
};
