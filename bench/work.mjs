import { profile } from '../dist/index.mjs';

/** Floating-point operations of one call of `job`, as the ops state them, none of padding; and what the CPU does at most. */
export async function workOf(job) {
  const { nodes, ceilings } = await profile(job, { repeats: 1 });
  return { flops: nodes.reduce((sum, { gflops, ms }) => sum + 1e6 * gflops * ms, 0), ceilings };
}
