import type { WeightDType } from '../checkpoints/parameter_source.js';
import type { FilesProgress } from '../hub/progress.js';
import type { CacheOptions } from '../models/paged_engine.js';

export { weightDTypes } from '../graph/parameters.js';

export interface LoadOptions {
  /**
   * How weights are kept in memory; left out: as the checkpoint stores them. `bfloat16` also rounds activations to it
   * before they are multiplied; sums are float32. `int8` keeps matrices as int8 with a scale for each output, and multiplies them with
   * activations as int8 with a scale for each row; sums are int32. `int4` keeps matrices as int4 with a scale and a minimum for
   * each block of 32 inputs, embeddings as int8, and multiplies with activations as int8 with a scale for each such block.
   */
  dtype?: WeightDType;
  /** A commit, branch or tag of a hub id; default `main`. */
  revision?: string;
  /** The Hugging Face cache that a hub id is looked for in and downloaded to; default: as HF_HOME and HF_HUB_CACHE say. */
  cacheDir?: string;
  /** Whether no request may be made, as with HF_HUB_OFFLINE; default false. */
  localFilesOnly?: boolean;
  /**
   * How long, in ms, texts of one `embed` or text classification wait for those of other calls while the engine is busy with
   * this model; default 2. Calls that find it idle never wait.
   */
  maxWaitMs?: number;
  /** The cache of a language model's keys and values. */
  cache?: CacheOptions;
  /**
   * The folder of a LoRA adapter, as Python's peft writes it, or several, whose changes are added up. The base's weights are shared
   * with models over other adapters, or none.
   */
  adapter?: string | readonly string[];
  signal?: AbortSignal;
  onProgress?: (progress: LoadProgress) => void;
}

export interface LoadProgress {
  /** Files are downloaded, where they are not there; then weights are read. */
  stage: 'download' | 'load';
  /** Bytes so far, and in all of this stage. */
  loaded: number;
  total: number;
  /** Of a download: each file by its path. */
  files?: FilesProgress;
}

/** Tells `onProgress`, if there is one, which stage it is that makes progress. */
export function reporting(
  stage: LoadProgress['stage'],
  onProgress: LoadOptions['onProgress'],
): ((progress: Omit<LoadProgress, 'stage'>) => void) | undefined {
  return onProgress && ((progress) => onProgress({ stage, ...progress }));
}
