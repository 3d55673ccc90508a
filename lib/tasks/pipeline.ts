import { HeddleError, mismatch } from '../errors.js';
import { checkOptions, describeValue } from '../graph/options.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { type FeatureExtractionCall, featureExtraction } from './feature_extraction.js';
import { type FillMaskCall, fillMask } from './fill_mask.js';
import { loadEncoder } from './load.js';
import { type LoadOptions, type LoadProgress, weightDTypes } from './load_options.js';
import type { EncoderModel, Model } from './model.js';
import { env, locateModel } from './pipeline_env.js';
import { type QuestionAnsweringCall, questionAnswering } from './question_answering.js';
import { type TextClassificationCall, textClassification } from './text_classification.js';
import { type TextGenerationCall, textGeneration } from './text_generation.js';
import { type TokenClassificationCall, tokenClassification } from './token_classification.js';
import { type ZeroShotCall, zeroShotClassification } from './zero_shot_classification.js';

/** What a task's pipeline is called with and gives. */
export interface PipelineCalls {
  'feature-extraction': FeatureExtractionCall;
  'fill-mask': FillMaskCall;
  'text-classification': TextClassificationCall;
  'token-classification': TokenClassificationCall;
  'question-answering': QuestionAnsweringCall;
  'zero-shot-classification': ZeroShotCall;
  'text-generation': TextGenerationCall;
}

const aliases = {
  'sentiment-analysis': 'text-classification',
  ner: 'token-classification',
} as const;

export type Task = keyof PipelineCalls;
export type TaskName = Task | keyof typeof aliases;
type TaskOf<T extends TaskName> = T extends keyof typeof aliases ? (typeof aliases)[T] : T;

const makers: {
  readonly [T in Task]: (model: EncoderModel, tokenizer: Tokenizer) => PipelineCalls[T];
} = {
  'feature-extraction': featureExtraction,
  'fill-mask': fillMask,
  'text-classification': textClassification,
  'token-classification': tokenClassification,
  'question-answering': questionAnswering,
  'zero-shot-classification': zeroShotClassification,
  'text-generation': textGeneration,
};

export const tasks = Object.keys(makers) as readonly Task[];

/** A task on a model: to be called with texts. */
export type Pipeline<T extends Task = Task> = PipelineCalls[T] & {
  readonly task: T;
  /** For what the task does not give, such as hidden states and attentions: `model.forward`. */
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  dispose(): Promise<void>;
};

/** What `progress_callback` gets: bytes as files are downloaded and weights are read, and at the end that all is ready. */
export type PipelineProgress =
  | ({ status: 'progress'; name: string; progress: number } & LoadProgress)
  | { status: 'ready'; task: Task; model: string };

export interface PipelineOptions
  extends Omit<LoadOptions, 'onProgress' | 'dtype' | 'cacheDir' | 'localFilesOnly'> {
  /** As `load` has it, or by @huggingface/transformers' name: `fp32`, `fp16`, `q8`, `auto` … */
  dtype?: LoadOptions['dtype'] | keyof typeof dtypes | null;
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
}

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

const withoutEffect = [
  'device',
  'subfolder',
  'model_file_name',
  'use_external_data_format',
  'session_options',
] as const;

/**
 * Opens a model for a task, with the call and result shapes of @huggingface/transformers.
 * @param task one of `tasks`, or `sentiment-analysis` for text-classification, `ner` for token-classification.
 * @param model a source as `load` takes it.
 * @throws ERR_ARGUMENT; ERR_UNSUPPORTED for another task, and for a model without the task's head; what `load` throws.
 */
export async function pipeline<T extends TaskName>(
  task: T,
  model: string,
  options: PipelineOptions = {},
): Promise<Pipeline<TaskOf<T>>> {
  const name = taskOf(task);
  if (typeof model !== 'string') {
    const found = describeValue(model);
    throw mismatch('ERR_ARGUMENT', 'pipeline', 'a model: a folder or a hub id', found);
  }
  const known = [
    'dtype',
    'revision',
    'cache_dir',
    'local_files_only',
    'maxWaitMs',
    'signal',
    'progress_callback',
  ] as const;
  checkOptions('pipeline', options, [...known, ...withoutEffect]);
  const { progress_callback: report, dtype, revision, maxWaitMs, signal } = options;
  const cacheDir = options.cache_dir ?? env.cacheDir;
  const loaded = await loadEncoder(locateModel(model), {
    ...(cacheDir ? { cacheDir } : {}),
    localFilesOnly: options.local_files_only ?? !env.allowRemoteModels,
    ...(dtype ? { dtype: dtypeOf(dtype) } : {}),
    ...(revision === undefined ? {} : { revision }),
    ...(maxWaitMs === undefined ? {} : { maxWaitMs }),
    ...(signal ? { signal } : {}),
    ...(report
      ? {
          onProgress: ({ stage, loaded, total }) =>
            report({
              status: 'progress',
              stage,
              name: model,
              progress: (100 * loaded) / total,
              loaded,
              total,
            }),
        }
      : {}),
  } as LoadOptions);
  try {
    const { tokenizer } = loaded;
    if (!tokenizer) {
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `pipeline: ${model} has no tokenizer.json beside its weights; use load and forward with ids`,
      );
    }
    const call = makers[name](loaded, tokenizer);
    report?.({ status: 'ready', task: name, model });
    const dispose = async (): Promise<void> => loaded.dispose();
    const made = Object.assign(call, { task: name, model: loaded, tokenizer, dispose });
    return made as unknown as Pipeline<TaskOf<T>>;
  } catch (error) {
    loaded.dispose();
    throw error;
  }
}

function taskOf(task: TaskName): Task {
  const name = Object.hasOwn(aliases, task) ? aliases[task as keyof typeof aliases] : task;
  if (Object.hasOwn(makers, name)) return name as Task;
  const expected = `one of the tasks ${[...tasks, ...Object.keys(aliases)].join(', ')}`;
  throw mismatch('ERR_UNSUPPORTED', 'pipeline', expected, describeValue(task));
}

/** Formats that are not here are `load`'s to refuse, by the name that they have here. */
function dtypeOf(given: NonNullable<PipelineOptions['dtype']>): LoadOptions['dtype'] {
  const own = (weightDTypes as readonly string[]).includes(given);
  if (own || !Object.hasOwn(dtypes, given)) return given as LoadOptions['dtype'];
  return dtypes[given as keyof typeof dtypes] as LoadOptions['dtype'];
}
