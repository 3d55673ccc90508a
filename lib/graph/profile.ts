import { costOf } from './cost.js';
import type { Program } from './program.js';

/** One run of a plan, timed node by node. */
export interface RunProfile {
  /** As it ran: after fusion. */
  readonly program: Program;
  readonly sizes: readonly number[];
  readonly inputs: readonly (Float32Array | Int32Array)[];
  /** When the run was asked for, by `performance.now()`. */
  readonly begin: number;
  /** Start and end of each node, nanoseconds from the start of the run. */
  readonly times: Float64Array;
}

/** A node of a plan, added up over runs. */
export interface NodeProfile {
  /** Its place in the plan. */
  readonly index: number;
  readonly op: string;
  readonly name: string | undefined;
  readonly runs: number;
  readonly ns: number;
  readonly flops: number;
  readonly bytes: number;
}

/** What a CPU can do at most, float32. */
export interface Ceilings {
  readonly threads: number;
  /** Multiply-adds from registers, GFLOP/s. */
  readonly gflops: number;
  /** Reading of memory beyond the caches, GB/s. */
  readonly gbps: number;
}

/** Adds up the nodes of runs. Plans that differ in their capacities only are one; nodes stand in order of execution. */
export function addUp(runs: readonly RunProfile[]): NodeProfile[] {
  const nodes = new Map<string, NodeProfile>();
  for (const { program, sizes, inputs, times } of runs) {
    const cost = costOf(program, sizes, inputs);
    cost.nodes.forEach(({ op, name, flops, bytes }, index) => {
      const key = `${index} ${op} ${name}`;
      const sum = nodes.get(key) ?? { index, op, name, runs: 0, ns: 0, flops: 0, bytes: 0 };
      nodes.set(key, {
        ...sum,
        runs: sum.runs + 1,
        ns: sum.ns + times[2 * index + 1] - times[2 * index],
        flops: sum.flops + flops,
        bytes: sum.bytes + bytes,
      });
    });
  }
  return [...nodes.values()].sort((a, b) => a.index - b.index);
}

/**
 * The share of the roofline (Williams, Waterman & Patterson, "Roofline", 2009): the least time that the node's arithmetic
 * or its traffic takes, over its own. Above 1 where operands come from a cache, or arithmetic is not float32's.
 */
export function rooflineShare({ flops, bytes, ns }: NodeProfile, ceilings: Ceilings): number {
  return ns > 0 ? Math.max(flops / ceilings.gflops, bytes / ceilings.gbps) / ns : 0;
}
