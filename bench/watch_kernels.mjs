/** The time of plans, kernel by kernel. */
import { addon } from './addon.mjs';

/**
 * Has every plan that is made from now on timed, and adds its nodes up in `sums`, by kernel. @returns what ends that. While
 * nodes are timed, a barrier stands behind each.
 */
export function watchKernels(sums) {
  const { createPlan, run } = addon();
  const kernels = addon().kernels();
  const nodesOf = new Map();
  const own = { createPlan: addon().createPlan, run: addon().run };
  addon().createPlan = (words, states) => {
    const plan = createPlan(words, states);
    nodesOf.set(plan, parse(words, kernels));
    return plan;
  };
  addon().run = async (plan, symbols, inputs, cancel, profile) => {
    const nodes = nodesOf.get(plan);
    if (!nodes) return run(plan, symbols, inputs, cancel, profile);
    const times = new Float64Array(2 * nodes.length);
    const outputs = await run(plan, symbols, inputs, cancel, times);
    nodes.forEach((node, i) => {
      const sum = sums.get(node.kernel) ?? { ns: 0, flops: 0 };
      sum.ns += times[2 * i + 1] - times[2 * i];
      sum.flops += flopsOf(node, symbols);
      sums.set(node.kernel, sum);
    });
    return outputs;
  };
  return () => Object.assign(addon(), own);
}

/** Of products: 2·rows·K·N. Attention's depend on the lengths of the segments, and are not counted here. */
function flopsOf({ kernel, dims, ints }, symbols) {
  const size = (dim) => (dim < 0 ? symbols[-1 - dim] : dim);
  const sizes = dims.map((shape) => shape?.map(size));
  if (kernel === 'linear' || kernel === 'linearInt8') {
    const [[rows], [n, k]] = sizes;
    return 2 * rows * n * k;
  }
  if (kernel === 'matmul') {
    const [a, b] = sizes;
    return 2 * a[0] * a[1] * b[ints[1] === 1 ? 0 : 1];
  }
  return 0;
}

/** Nodes of a plan: kernel, the dims of its first two operands, and its whole numbers (native/plan_format.h). */
function parse(words, kernels) {
  let at = 0;
  const word = () => Number(words[at++]);
  const [, symbols, values, nodes] = Array.from({ length: 8 }, word);
  at += symbols;
  const dims = Array.from({ length: values }, () => {
    at += 3;
    return Array.from({ length: word() }, word);
  });
  return Array.from({ length: nodes }, () => {
    const kernel = kernels[word()];
    const [inputs, outputs, ints, floats] = Array.from({ length: 4 }, word);
    const operands = Array.from({ length: inputs }, word);
    at += outputs;
    const numbers = Array.from({ length: ints }, word);
    at += floats;
    return { kernel, dims: operands.slice(0, 2).map((operand) => dims[operand]), ints: numbers };
  });
}
