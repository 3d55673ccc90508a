/** Options of @huggingface/transformers' pipelines and `from_pretrained`, as `load` takes them. */
import { mismatch } from '../errors.js';
import { checkOptions, describeValue } from '../graph/options.js';
import { type LoadOptions, weightDTypes } from './load_options.js';
import { env } from './pipeline_env.js';
import { type PipelineProgress, reportingEvents } from './pipeline_progress.js';

export interface PretrainedOptions
  extends Omit<LoadOptions, 'onProgress' | 'dtype' | 'cacheDir' | 'localFilesOnly'> {
  /** As `load` has it, or by @huggingface/transformers' name: `fp32`, `fp16`, `q8`, `auto` … */
  dtype?: DTypeName | { readonly model?: DTypeName } | null;
  progress_callback?: ((progress: PipelineProgress) => void) | null;
  /** `cacheDir` of `load`; default: `env.cacheDir`. */
  cache_dir?: string | null;
  /** `localFilesOnly` of `load`; default: not `env.allowRemoteModels`. */
  local_files_only?: boolean;
  /** Taken so that programs run unchanged, and without effect: the engine is the CPU, and there are no ONNX files. */
  device?: string | null;
  subfolder?: string;
  model_file_name?: string | null;
  use_external_data_format?: unknown;
  session_options?: object;
  quantized?: boolean;
  /** A config in place of the checkpoint's is ERR_UNSUPPORTED. */
  config?: null;
}

type DTypeName = NonNullable<LoadOptions['dtype']> | keyof typeof dtypes;

/** @huggingface/transformers' names of number formats. */
const dtypes = {
  auto: undefined,
  fp32: 'float32',
  fp16: 'float16',
  q8: 'int8',
  int8: 'int8',
  uint8: 'int8',
  q4: 'int4',
  bnb4: 'int4',
  q4f16: 'int4',
} as const;

const optionNames = [
  'dtype',
  'revision',
  'cache_dir',
  'local_files_only',
  'maxWaitMs',
  'adapter',
  'signal',
  'progress_callback',
  'config',
  'device',
  'subfolder',
  'model_file_name',
  'use_external_data_format',
  'session_options',
  'quantized',
] as const;

/**
 * What `load` takes, and the hub that `env` names.
 * @param where names the call in errors. @param source names the model to `progress_callback`.
 * @throws ERR_ARGUMENT; ERR_UNSUPPORTED for a config.
 */
export function loadOptionsOf(
  where: string,
  source: string,
  options: PretrainedOptions,
): LoadOptions & { endpoint?: string } {
  if (typeof source !== 'string') {
    const found = describeValue(source);
    throw mismatch('ERR_ARGUMENT', where, 'a model: a folder or a hub id', found);
  }
  checkOptions(where, options, optionNames);
  if (options.config != null) {
    const expected = "the checkpoint's own config.json";
    throw mismatch('ERR_UNSUPPORTED', `${where}: config`, expected, describeValue(options.config));
  }
  const { progress_callback: report, dtype, revision, maxWaitMs, adapter, signal } = options;
  const cacheDir = options.cache_dir ?? env.cacheDir;
  return {
    ...(cacheDir ? { cacheDir } : {}),
    localFilesOnly: options.local_files_only ?? !env.allowRemoteModels,
    ...(dtype ? { dtype: dtypeOf(dtype) } : {}),
    ...(revision === undefined ? {} : { revision }),
    ...(maxWaitMs === undefined ? {} : { maxWaitMs }),
    ...(adapter === undefined ? {} : { adapter }),
    ...(signal ? { signal } : {}),
    ...(report ? { onProgress: reportingEvents(source, report) } : {}),
    ...(env.remoteHost == null ? {} : { endpoint: env.remoteHost }),
  } as LoadOptions & { endpoint?: string };
}

/** Formats that are not here are `load`'s to refuse, by the name that they have here. */
function dtypeOf(wanted: NonNullable<PretrainedOptions['dtype']>): LoadOptions['dtype'] {
  const given = typeof wanted === 'object' ? (wanted.model ?? 'auto') : wanted;
  const own = (weightDTypes as readonly string[]).includes(given);
  if (own || !Object.hasOwn(dtypes, given)) return given as LoadOptions['dtype'];
  return dtypes[given as keyof typeof dtypes] as LoadOptions['dtype'];
}
