import { HeddleError, mismatch } from '../errors.js';
import { describeValue } from '../graph/options.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { callOutputs } from './auto_model.js';
import { defaultModels } from './default_models.js';
import { type FeatureExtractionCall, featureExtraction } from './feature_extraction.js';
import { type FillMaskCall, fillMask } from './fill_mask.js';
import { loadEncoder } from './load.js';
import type { EncoderModel } from './model.js';
import { locateModel } from './pipeline_env.js';
import { type PretrainedModel, pretrainedModel } from './pretrained_model.js';
import { loadOptionsOf, type PretrainedOptions } from './pretrained_options.js';
import { type PretrainedTokenizer, pretrainedTokenizer } from './pretrained_tokenizer.js';
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
  embeddings: 'feature-extraction',
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
  /** For what the task does not give, such as hidden states and attentions; can be called with what the tokenizer's call gives. */
  readonly model: PretrainedModel;
  readonly tokenizer: PretrainedTokenizer;
  /** The pipeline itself. */
  readonly _call: PipelineCalls[T];
  dispose(): Promise<void>;
};

/** @huggingface/transformers' names of them. */
export type FeatureExtractionPipeline = Pipeline<'feature-extraction'>;
export type FillMaskPipeline = Pipeline<'fill-mask'>;
export type TextClassificationPipeline = Pipeline<'text-classification'>;
export type TokenClassificationPipeline = Pipeline<'token-classification'>;
export type QuestionAnsweringPipeline = Pipeline<'question-answering'>;
export type ZeroShotClassificationPipeline = Pipeline<'zero-shot-classification'>;

export type PipelineOptions = PretrainedOptions;

/**
 * Opens a model for a task, with the call and result shapes of @huggingface/transformers.
 * @param task one of `tasks`, or `sentiment-analysis` for text-classification, `ner` for token-classification, `embeddings` for
 * feature-extraction.
 * @param source as `load` takes it; without one, a model that is usual for the task, with a warning that names it.
 * @throws ERR_ARGUMENT; ERR_UNSUPPORTED for another task, and for a model without the task's head; what `load` throws.
 */
export async function pipeline<T extends TaskName>(
  task: T,
  source?: string | null,
  options: PipelineOptions = {},
): Promise<Pipeline<TaskOf<T>>> {
  const name = taskOf(task);
  const model = source ?? defaultModels[name];
  const settings = loadOptionsOf('pipeline', model, options);
  if (source === undefined || source === null) {
    process.emitWarning(`pipeline('${task}') was given no model; it opens ${model}`, {
      code: 'HEDDLE_DEFAULT_MODEL',
    });
  }
  const loaded = await loadEncoder(locateModel(model), settings);
  try {
    const { tokenizer } = loaded;
    if (!tokenizer) {
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `pipeline: ${model} has no tokenizer beside its weights (tokenizer.json, or the vocabulary files it is made from); ` +
          'use load and forward with ids',
      );
    }
    const call = makers[name](loaded, tokenizer);
    options.progress_callback?.({ status: 'ready', task: name, model });
    const callableTokenizer = pretrainedTokenizer(tokenizer);
    const made = Object.assign(call, {
      task: name,
      model: pretrainedModel(loaded, callOutputs(loaded), callableTokenizer),
      tokenizer: callableTokenizer,
      dispose: async (): Promise<void> => loaded.dispose(),
      _call: call,
    });
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
