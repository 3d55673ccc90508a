/** Heddle: transformers, natively, in Node. */
export { type ErrorCode, HeddleError } from './errors.js';
export { gradient } from './graph/gradient.js';
export { type ParameterSource, Parameters } from './graph/parameters.js';
export { CompiledGraph, compile, type Feeds, type NdArray, run } from './graph/run.js';
export { SymbolicDim } from './graph/shape.js';
export { State } from './graph/state.js';
export { input, stateTensor, type Tensor, tensor } from './graph/tensor.js';
export * as nn from './layers/index.js';
export * as ops from './ops/index.js';
export type { EmbedOptions } from './tasks/embed.js';
export { inspect, type ModelFacts } from './tasks/inspect.js';
export { load } from './tasks/load.js';
export type { LoadOptions, LoadProgress } from './tasks/load_options.js';
export { loadTrainable, type TrainableModel } from './tasks/load_trainable.js';
export type { Model } from './tasks/model.js';
export {
  type FeatureExtractionPipeline,
  type FillMaskPipeline,
  type Pipeline,
  type PipelineCalls,
  type PipelineOptions,
  pipeline,
  type QuestionAnsweringPipeline,
  type Task,
  type TaskName,
  type TextClassificationPipeline,
  type TokenClassificationPipeline,
  type ZeroShotClassificationPipeline,
} from './tasks/pipeline.js';
export { env, type PipelineEnv } from './tasks/pipeline_env.js';
export type { PipelineProgress } from './tasks/pipeline_progress.js';
export type { Ranked, RerankOptions } from './tasks/rerank.js';
export type { ResultTensor } from './tasks/result_tensor.js';
export {
  type IndexOptions,
  indexPassages,
  type Passage,
  passagesOf,
  type QueryOptions,
  type SearchIndex,
  type SearchResult,
  search,
} from './tasks/search.js';
export { cos_sim, dot, layer_norm, matmul, softmax } from './tasks/vector_maths.js';
export type { Precision, Ranges } from './tasks/vector_precision.js';
export type { EncodeOptions, Encoding } from './text/encoding.js';
export { Tokenizer } from './text/tokenizer.js';
export {
  type AdamOptions,
  adam,
  adamW,
  type LionOptions,
  lion,
  type Optimizer,
  type SgdOptions,
  sgd,
} from './train/optimizers.js';
export * as schedules from './train/schedules.js';
export {
  type ParameterGroup,
  type StepResult,
  TrainingStep,
  type TrainingStepOptions,
} from './train/training_step.js';
