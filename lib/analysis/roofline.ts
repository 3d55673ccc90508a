/** What a machine can do at most, and how long the nodes of a run take at least. */
import type { ProgramCost } from '../graph/cost.js';

/** A device by its two ceilings: what `heddle bench machine` measures. */
export interface Machine {
  readonly name?: string;
  /** Arithmetic, GFLOP/s; from 10⁻⁶ to 10¹², as the other. */
  readonly gflops: number;
  /** Reading of memory, GB/s. */
  readonly gbps: number;
}

/** Data sheets of NVIDIA's A100 80 GB SXM (2020) and H100 SXM (2022): dense bfloat16, and the memory on the device. */
export const knownMachines: Readonly<Record<string, Machine>> = {
  a100: { name: 'A100 80 GB SXM, bfloat16', gflops: 312_000, gbps: 2_039 },
  h100: { name: 'H100 SXM, bfloat16', gflops: 989_400, gbps: 3_350 },
};

export interface Roofline {
  /** FLOPs for each byte that is read or written, if nothing stays in a cache. */
  readonly intensity: number;
  /** At least; null without a machine. */
  readonly seconds: number | null;
  /** Of those seconds, in nodes that arithmetic limits and not the memory, 0 … 1. */
  readonly arithmeticShare: number | null;
}

/** Of a run's nodes; the times are 0 without a machine. */
export interface RooflineSums {
  readonly flops: number;
  readonly bytes: number;
  readonly seconds: number;
  /** In nodes that arithmetic limits. */
  readonly arithmeticSeconds: number;
}

/**
 * The least time of a run: each node takes the longer of its arithmetic and its traffic (Williams, Waterman & Patterson
 * 2009, "Roofline: An Insightful Visual Performance Model", section 3).
 */
export function rooflineSums(cost: ProgramCost | undefined, machine?: Machine): RooflineSums {
  const { flops, bytes, nodes } = cost ?? { flops: 0, bytes: 0, nodes: [] };
  let seconds = 0;
  let arithmeticSeconds = 0;
  for (const node of machine ? nodes : []) {
    const { gflops, gbps } = machine as Machine;
    const computing = node.flops / (gflops * 1e9);
    const reading = node.bytes / (gbps * 1e9);
    seconds += Math.max(computing, reading);
    if (computing >= reading) arithmeticSeconds += computing;
  }
  return { flops, bytes, seconds, arithmeticSeconds };
}

export function roofline(
  { flops, bytes, seconds, arithmeticSeconds }: RooflineSums,
  machine?: Machine,
): Roofline {
  const intensity = bytes > 0 ? flops / bytes : 0;
  if (!machine) return { intensity, seconds: null, arithmeticShare: null };
  return { intensity, seconds, arithmeticShare: seconds > 0 ? arithmeticSeconds / seconds : 0 };
}
