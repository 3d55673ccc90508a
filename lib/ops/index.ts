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
export { type AttentionOptions, attention, attentionWeights, type BiasKind } from './attention.js';
export { add, multiply, scale } from './elementwise.js';
export { embedding } from './embedding.js';
export { type Compute, linear, matmul } from './gemm.js';
export { layerNorm, rmsNorm } from './norm.js';
export { l2Normalize, type Pooling, pool } from './pool.js';
export { relativeBias } from './position_bias.js';
export { quantizeRows } from './quantize.js';
export { softmax } from './softmax.js';
export { append, assign } from './state.js';
