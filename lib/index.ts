/** Heddle: transformers, natively, in Node. */

export {
  attentionStatistics,
  type EntropyUnit,
  type HeadStatistics,
} from './analysis/attention_statistics.js';
export { countOperations, type OperationCount, pathLengths } from './analysis/dependencies.js';
export * as hopfield from './analysis/hopfield.js';
export { type LookupOptions, lookup } from './analysis/lookup.js';
export type { Plateau } from './analysis/particles/clusters.js';
export type {
  MatrixOption,
  ParticleOptions,
  ParticleSample,
} from './analysis/particles/options.js';
export { type ParticleRun, particles } from './analysis/particles/particles.js';
export type { Machine, Roofline } from './analysis/roofline.js';
export type { Rows } from './analysis/rows.js';
export {
  type TokenSimilarity,
  type TokenSimilarityOptions,
  tokenSimilarity,
} from './analysis/token_similarity.js';
export { type ErrorCode, HeddleError } from './errors.js';
export type { FinishReason } from './generation/generate.js';
export type { TokenLogprob } from './generation/log_probabilities.js';
export type { GenerateOptions } from './generation/options.js';
export type { Perplexity, PerplexityOptions } from './generation/perplexity.js';
export { type GradientOptions, gradient } from './graph/gradient.js';
export { type ParameterSource, Parameters } from './graph/parameters.js';
export type { Ceilings } from './graph/profile.js';
export { CompiledGraph, compile, type Feeds, type NdArray, run } from './graph/run.js';
export { SymbolicDim } from './graph/shape.js';
export { State } from './graph/state.js';
export { input, stateTensor, type Tensor as LazyTensor, tensor } from './graph/tensor.js';
export * as nn from './layers/index.js';
export type { CacheOptions } from './models/paged_engine.js';
export * as ops from './ops/index.js';
export { type BleuOptions, type BleuScore, type BleuSmoothing, bleu } from './scores/bleu.js';
export type { BleuTokenizer } from './scores/bleu_tokens.js';
export { type ChrfOptions, type ChrfScore, chrf } from './scores/chrf.js';
export type { References } from './scores/corpus.js';
export type { LoraOptions } from './tasks/adapter.js';
export type { AdapterTraining } from './tasks/adapter_training.js';
export {
  type AttentionMaps,
  type AttentionMapsOptions,
  attentionMaps,
  type LayerAttention,
} from './tasks/attention_maps.js';
export { AutoConfig } from './tasks/auto_config.js';
export {
  AutoModel,
  type AutoModelClass,
  AutoModelForMaskedLM,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
} from './tasks/auto_model.js';
export { AutoTokenizer } from './tasks/auto_tokenizer.js';
export type { EmbedOptions } from './tasks/embed.js';
export { type Estimate, estimate, type Workload } from './tasks/estimate.js';
export { estimateSource } from './tasks/estimate_source.js';
export { inspect, type ModelFacts } from './tasks/inspect.js';
export type { InspectedText, InspectedToken, TextOrIds } from './tasks/inspected_text.js';
export { load } from './tasks/load.js';
export type { LoadOptions, LoadProgress } from './tasks/load_options.js';
export {
  freshTrainable,
  loadTrainable,
  type TrainableModel,
  type TrainableOptions,
} from './tasks/load_trainable.js';
export {
  type LensPrediction,
  type LogitLens,
  type LogitLensOptions,
  logitLens,
} from './tasks/logit_lens.js';
export { mergeAdapter } from './tasks/merge_adapter.js';
export type { Model } from './tasks/model.js';
export {
  type ModelPositions,
  modelPositions,
  type PositionalEncoding,
} from './tasks/model_positions.js';
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
export { env, LogLevel, type PipelineEnv } from './tasks/pipeline_env.js';
export type { PipelineProgress } from './tasks/pipeline_progress.js';
export type {
  ModelInputs,
  ModelOutputs,
  PretrainedModel as PreTrainedModel,
} from './tasks/pretrained_model.js';
export type { PretrainedOptions } from './tasks/pretrained_options.js';
export type { PretrainedTokenizer as PreTrainedTokenizer } from './tasks/pretrained_tokenizer.js';
export { ceilings, type Profile, type ProfiledNode, profile } from './tasks/profile.js';
export type { ChatPrompt, Prompt } from './tasks/prompt.js';
export type { Ranked, RerankOptions } from './tasks/rerank.js';
export { type ResultTensor, Tensor } from './tasks/result_tensor.js';
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
export type { GeneratedToken, Generation } from './tasks/text_generator.js';
export {
  type BaseStreamer,
  TextStreamer,
  type TextStreamerOptions,
} from './tasks/text_streamer.js';
export {
  type TokenSimilarities,
  type TokenSimilaritiesOptions,
  tokenSimilarities,
} from './tasks/token_similarities.js';
export {
  type TrainingExamples,
  type TrainingResult,
  type TrainingTask,
  type TrainOptions,
  train,
} from './tasks/train.js';
export { trainTokenizerOnFiles } from './tasks/train_tokenizer.js';
export {
  freshTransformer,
  loadTransformer,
  type TrainableTransformer,
} from './tasks/trainable_transformer.js';
export { cos_sim, dot, layer_norm, matmul, mean_pooling, softmax } from './tasks/vector_maths.js';
export type { Precision, Ranges } from './tasks/vector_precision.js';
export type { ChatMessage, ChatOptions } from './text/chat_templates.js';
export type { EncodeOptions, Encoding } from './text/encoding.js';
export type { IncrementalDecoder } from './text/incremental_decoder.js';
export { Tokenizer } from './text/tokenizer.js';
export type { TokenizerType, TrainTokenizerOptions } from './text/tokenizer_training_options.js';
export {
  type ParsedAnswer,
  parseToolCalls,
  type ToolCall,
  type ToolCallFormat,
} from './text/tool_calls.js';
export { type TrainedTokenizer, trainTokenizer } from './text/train_tokenizer.js';
export type { TokenizerProgress } from './text/training_pace.js';
export { type AdafactorOptions, adafactor } from './train/adafactor.js';
export { type MuonOptions, muon } from './train/muon.js';
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
export type { GroupRule } from './train/parameter_groups.js';
export * as schedules from './train/schedules.js';
export type { EvaluationMetrics, StepMetrics, TrainingProgress } from './train/trainer.js';
export {
  type MicroBatch,
  type ParameterGroup,
  type StepResult,
  TrainingStep,
  type TrainingStepOptions,
} from './train/training_step.js';
