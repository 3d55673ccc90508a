import type { NdArray } from '../graph/run.js';
import type { SymbolicDim } from '../graph/shape.js';
import type { Tensor } from '../graph/tensor.js';
import type { Fed } from './packed_inputs.js';
import type { RandomStream } from './random_stream.js';

/** What the rows of a run's graph are limited to. */
export interface RunLimits {
  /** Tokens, counted as `tokens` of an objective does. */
  readonly tokens: number;
  readonly examples: number;
}

/** What is learnt: the loss of a batch of examples as one graph, and what each run feeds it. */
export interface Objective<E> {
  /** Float32 [1]: the sum of the examples' losses, each weighted as `fill` says. */
  readonly loss: Tensor;
  /** What `correct` reads, by name; it is computed in evaluations alone. */
  readonly scored?: Readonly<Record<string, Tensor>>;
  /** Whether examples are judged beside each other, so that a batch cannot be cut in parts. */
  readonly isJoint?: boolean;
  /** What an example takes of a batch's budget. Throws ERR_INPUT for one that the model cannot take. */
  tokens(example: E): number;
  /** By how many an example's loss is divided in the mean: predicted tokens, or 1. */
  weight(example: E): number;
  capacities(limits: RunLimits): Map<SymbolicDim, number>;
  /** @param total weight of the whole batch, which these may be a part of. @param random of these examples in this step. */
  fill(examples: readonly E[], total: number, random: (example: number) => RandomStream): Fed;
  /** How many examples of an evaluation were answered right, all of each. */
  correct?(results: Readonly<Record<string, NdArray>>, examples: readonly E[]): number;
}
