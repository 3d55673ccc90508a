/** Memory of training on accelerators, by the published accounting; what Heddle's own engine takes is counted elsewhere. */
import type { Recomputation } from './workload.js';

/** What activations are made of. A model is a stack of sublayers, each attention or feed-forward. */
export interface ActivationSizes {
  /** b: sequences of a micro-batch. */
  readonly batch: number;
  /** s: tokens of each. */
  readonly length: number;
  /** h. */
  readonly hidden: number;
  /** Whole layers, for full recomputation: 2 sublayers in an encoder or decoder, 3 with cross-attention. */
  readonly layers: number;
  readonly sublayers: number;
  /** a·L: heads of all attention sublayers. */
  readonly heads: number;
  /** Elements of the matrices that a token is multiplied with in the layers: 12·h² in a layer of a GPT. */
  readonly matrices: number;
  /** v; 0 where no logits are made. */
  readonly vocabulary: number;
  /** Of an activation; masks of dropout take 1, logits 4. */
  readonly bytes: number;
}

export interface Parallelism {
  /** t. */
  readonly tensor: number;
  /** p. */
  readonly pipeline: number;
  /** m: chunks of layers of each stage. */
  readonly interleave: number;
  /** Whether norms and dropout are divided by position. */
  readonly sequence: boolean;
}

/**
 * Bytes that a device keeps for the way back, in the first of the pipeline's stages, which holds p micro-batches
 * (Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer Models"). For a GPT in 16 bits these are
 * table 2 and equation 5, for each layer:
 *
 * - none: s·b·h·(10 + 24/t + 5·a·s/(h·t)); with sequence parallelism s·b·h/t·(34 + 5·a·s/h)
 * - selective, which keeps no scores of attention: the same without their term
 * - full: the input of each layer, 2·s·b·h; with sequence parallelism a device's share of it, 2·s·b·h/t
 *
 * The interleaved schedule has more of them under way, (1 + (p − 1)/(p·m)) times as many (the same, section 4.2.3).
 *
 * Two things make them hold for other shapes. Each matrix [n, k] of a sublayer is read behind an activation of k elements, or
 * followed by one of n, that is kept: elements inside are matrices / h, 12·h for a GPT's layer. And each sublayer keeps its
 * input, that of its norm, and a mask. Other dtypes scale what is no mask and no logit.
 */
export function activationMemory(
  of: ActivationSizes,
  { tensor: t, pipeline: p, interleave: m, sequence }: Parallelism,
  recompute: Recomputation,
): number {
  const { batch: b, length: s, hidden: h, bytes } = of;
  const spread = sequence ? t : 1;
  const outside = ((2 * bytes + 1) * h * of.sublayers) / spread;
  const inside = (bytes * of.matrices) / (h * t);
  const scores = ((2 * bytes + 1) * of.heads * s) / t;
  const kept = {
    none: outside + inside + scores,
    selective: outside + inside,
    full: (bytes * h * of.layers) / spread,
  }[recompute];
  const underWay = m > 1 ? 1 + (p - 1) / (p * m) : 1;
  return s * b * (underWay * kept + aroundLayers(of, t, p, spread));
}

/** Dropout of the embeddings for p micro-batches; without a pipeline also the last norm, the output's input and the logits (section 4.3). */
function aroundLayers(of: ActivationSizes, t: number, p: number, spread: number): number {
  const { hidden: h, vocabulary, bytes } = of;
  const embedding = (h * p) / spread;
  const output = p > 1 || vocabulary === 0 ? 0 : (2 * bytes * h) / spread + (4 * vocabulary) / t;
  return embedding + output;
}

/** Bytes for each parameter and for each number that the optimiser keeps. */
export interface StateBytes {
  readonly parameter: number;
  readonly gradient: number;
  /** The float32 copy of mixed precision. */
  readonly copy: number;
  readonly moment: number;
}

/**
 * Transformer Math 101, "Total training memory": parameters and gradients in the precision of the arithmetic, the optimiser's
 * moments in float32, and in mixed precision a float32 copy of the parameters: AdamW has 12 bytes for each, SGD with momentum 8.
 */
export const stateBytes = (isMixed: boolean): StateBytes =>
  isMixed
    ? { parameter: 2, gradient: 2, copy: 4, moment: 4 }
    : { parameter: 4, gradient: 4, copy: 0, moment: 4 };

export interface ModelStates {
  readonly weights: number;
  readonly gradients: number;
  readonly optimizer: number;
}

/**
 * What a device holds beside activations, in whole bytes. Tensor and pipeline parallelism divide all of it; ZeRO (Rajbhandari et al. 2020,
 * "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models", section 5; Transformer Math 101, "Sharded
 * optimizers") divides among replicas the optimiser's states (stage 1), gradients as well (2), parameters as well (3).
 *
 * @param moments numbers that the optimiser keeps: 2 for each parameter by Adam.
 */
export function modelStates(
  of: { parameters: number; moments: number; isMixed: boolean },
  division: { tensor: number; pipeline: number; replicas: number; zero: 0 | 1 | 2 | 3 },
): ModelStates {
  const { parameter, gradient, copy, moment } = stateBytes(of.isMixed);
  const { replicas, zero } = division;
  const share = 1 / (division.tensor * division.pipeline);
  const from = (stage: number): number => share / (zero >= stage ? replicas : 1);
  return {
    weights: Math.ceil(parameter * of.parameters * from(3)),
    gradients: Math.ceil(gradient * of.parameters * from(2)),
    optimizer: Math.ceil((copy * of.parameters + moment * of.moments) * from(1)),
  };
}
