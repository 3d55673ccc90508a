/** The lazy operations. Importing this module registers their rules with the graph. */
export {
  type Activation,
  activation,
  gelu,
  relu,
  sigmoid,
  silu,
  tanh,
} from './activation.js';
export { argmax } from './argmax.js';
export { attention, attentionWeights } from './attention.js';
export type { AttentionBias, AttentionOptions } from './attention_scores.js';
export { multiplyAdd, sumRows } from './ceiling.js';
export { columnSums } from './column_sums.js';
export { type ColumnBlocks, columns } from './columns.js';
export { crossEntropy } from './cross_entropy.js';
export { dropout } from './dropout.js';
export { add, multiply, scale } from './elementwise.js';
export { embedding } from './embedding.js';
export { type Compute, computes, linear, matmul } from './gemm.js';
export {
  appendPages,
  type CacheDType,
  cacheDTypes,
  copyPages,
  type PageKind,
  pagePositions,
  readPages,
} from './kv_pages.js';
export { linearCrossEntropy } from './linear_cross_entropy.js';
export { logitBlocks } from './logit_blocks.js';
export { joinExperts, linearExperts, routeExperts } from './mixture.js';
export { layerNorm, rmsNorm } from './norm.js';
export { type AdamStep, adam, clipFactor, descend, moment, sumOfSquares } from './optimizer.js';
export {
  type PagedAttentionOptions,
  type PagedSegments,
  pagedAttention,
  partPositions,
} from './paged_attention.js';
export { l2Normalize, type Pooling, pool } from './pool.js';
export { relativeBias, relativeBucket } from './position_bias.js';
export { quantizeRows } from './quantize.js';
export { type RotaryTables, rope } from './rotary.js';
export { softmax } from './softmax.js';
export { append, assign } from './state.js';
export { unfold } from './unfold.js';
