/** Builds plans (native/plan_format.h) by hand, for tests of the binding that need no TypeScript. */

export const arena = 0;
export const input = 1;
export const output = 2;
export const state = 3;
const dtypes = ['float32', 'float16', 'bfloat16', 'int32', 'int8', 'int4', 'int8Blocks'];

/**
 * @param {object} plan
 * @param {string[]} plan.kernels names, as the addon lists them
 * @param {number[]} [plan.capacities] of the symbols; dim −1 is the first symbol
 * @param {{ kind: number, dtype?: string, index: number, dims: number[] }[]} plan.values
 * @param {{ kernel: string, in: number[], out: number | number[], ints?: number[], floats?: number[] }[]} plan.nodes
 * @param {number} [plan.arenaBytes]
 */
export function planWords({ kernels, capacities = [], values, nodes, arenaBytes = 0 }) {
  const countOf = (kind) => new Set(values.filter((v) => v.kind === kind).map((v) => v.index)).size;
  const words = [0x314e4c5044444548n, capacities.length, values.length, nodes.length];
  words.push(countOf(state), countOf(input), countOf(output), arenaBytes, ...capacities);
  for (const { kind, dtype = 'float32', index, dims } of values) {
    words.push(kind, dtypes.indexOf(dtype), index, dims.length, ...dims);
  }
  for (const node of nodes) {
    const { ints = [], floats = [] } = node;
    const out = [node.out].flat();
    const counts = [node.in.length, out.length, ints.length, floats.length];
    words.push(kernels.indexOf(node.kernel), ...counts, ...node.in, ...out, ...ints);
    words.push(...new BigInt64Array(Float64Array.from(floats).buffer));
  }
  return BigInt64Array.from(words, BigInt);
}
