/** Heddle: transformers, natively, in Node. */
export { type ErrorCode, HeddleError } from './errors.js';
export type { Parameters } from './graph/parameters.js';
export { CompiledGraph, compile, type Feeds, type NdArray, run } from './graph/run.js';
export { SymbolicDim } from './graph/shape.js';
export { State } from './graph/state.js';
export { input, stateTensor, type Tensor, tensor } from './graph/tensor.js';
export * as nn from './layers/index.js';
export * as ops from './ops/index.js';
export type { EmbedOptions } from './tasks/embed.js';
export { inspect, type ModelFacts } from './tasks/inspect.js';
export { type LoadOptions, type LoadProgress, load } from './tasks/load.js';
export type { Model } from './tasks/model.js';
export { type FeatureExtraction, type PipelineOptions, pipeline } from './tasks/pipeline.js';
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
export type { EncodeOptions, Encoding } from './text/encoding.js';
export { Tokenizer } from './text/tokenizer.js';
