/** Heddle: transformers, natively, in Node. */
export { type ErrorCode, HeddleError } from './errors.js';
export type { FinishReason } from './generation/generate.js';
export type { TokenLogprob } from './generation/log_probabilities.js';
export type { GenerateOptions } from './generation/options.js';
export type { Perplexity, PerplexityOptions } from './generation/perplexity.js';
export type { Parameters } from './graph/parameters.js';
export { CompiledGraph, compile, type Feeds, type NdArray, run } from './graph/run.js';
export { SymbolicDim } from './graph/shape.js';
export { State } from './graph/state.js';
export { input, stateTensor, type Tensor, tensor } from './graph/tensor.js';
export * as nn from './layers/index.js';
export type { CacheOptions } from './models/paged_engine.js';
export * as ops from './ops/index.js';
export type { EmbedOptions } from './tasks/embed.js';
export { inspect, type ModelFacts } from './tasks/inspect.js';
export { load } from './tasks/load.js';
export type { LoadOptions, LoadProgress } from './tasks/load_options.js';
export type { Model } from './tasks/model.js';
export {
  type Pipeline,
  type PipelineCalls,
  type PipelineOptions,
  type PipelineProgress,
  pipeline,
  type Task,
  type TaskName,
} from './tasks/pipeline.js';
export { env, type PipelineEnv } from './tasks/pipeline_env.js';
export type { ChatPrompt, Prompt } from './tasks/prompt.js';
export type { Ranked, RerankOptions } from './tasks/rerank.js';
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
export type { Precision, Ranges } from './tasks/vector_precision.js';
export type { ChatMessage, ChatOptions } from './text/chat_templates.js';
export type { EncodeOptions, Encoding } from './text/encoding.js';
export type { IncrementalDecoder } from './text/incremental_decoder.js';
export { Tokenizer } from './text/tokenizer.js';
export {
  type ParsedAnswer,
  parseToolCalls,
  type ToolCall,
  type ToolCallFormat,
} from './text/tool_calls.js';
