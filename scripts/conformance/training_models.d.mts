import type { SymbolicDim } from '../../lib/graph/shape.js';
import type { State } from '../../lib/graph/state.js';
import type { Tensor } from '../../lib/graph/tensor.js';
import type { MicroBatch } from '../../lib/train/training_step.js';

/** One of PyTorch's runs as Heddle follows it. */
export interface FollowedRun {
  loss: Tensor;
  parameters: State[];
  batches: MicroBatch[];
  capacities: Map<SymbolicDim, number>;
  dispose(): void;
}

type Follow = (heddle: object, folder: string, run: object) => Promise<FollowedRun>;
export const encoderDecoderRun: Follow;
export const modelRun: Follow;
