/** The layers, for building models of your own: `nn` of the public API. */
export { alibiSlopes } from './alibi.js';
export { MultiHeadAttention, type MultiHeadAttentionOptions } from './attention.js';
export {
  type BlockOptions,
  DecoderLayer,
  EncoderLayer,
  type EncoderLayerNames,
  type EncoderLayerOptions,
  type Memory,
} from './block.js';
export { Convolution } from './convolution.js';
export { Embedding } from './embedding.js';
export {
  FeedForward,
  type FeedForwardOptions,
  GatedFeedForward,
  type GatedFeedForwardOptions,
} from './feed_forward.js';
export { Layer } from './layer.js';
export { Linear } from './linear.js';
export { MixtureOfExperts, type MixtureOfExpertsOptions } from './mixture_of_experts.js';
export { LayerNorm, RmsNorm } from './norm.js';
export { LearnedPositions, SinusoidalPositions } from './positional_encoding.js';
export { logBucket } from './relative_embeddings.js';
export { type RopeScaling, scaledFrequencies } from './rope_scaling.js';
export { RotaryPositions, type RotaryPositionsOptions, rotaryFrequencies } from './rotary.js';
export { type LayerOptions, Scope } from './scope.js';
export { type PackedIds, pack, type Sequences } from './sequence.js';
export {
  TokenEmbeddings,
  type TokenEmbeddingsNames,
  type TokenEmbeddingsOptions,
  type TokenIds,
} from './token_embeddings.js';
export { type Dropout, type DropoutRates, dropoutFeeds, trainMode } from './train_mode.js';
export { Transformer, type TransformerOptions } from './transformer.js';
