import { actualShape, type Program } from './program.js';
import { type Cost, type CostOperand, ruleOf } from './rules.js';

/** The work of one node, by the formula of its op. */
export interface NodeCost extends Cost {
  readonly op: string;
  readonly name: string | undefined;
}

/** The work of a run, in all and node by node, in order of execution. */
export interface ProgramCost extends Cost {
  readonly nodes: readonly NodeCost[];
}

/**
 * Counts the work of a run at its actual sizes: what a profile divides by the time to get GFLOP/s and GB/s.
 *
 * @param sizes actual sizes of the program's symbols.
 * @param inputs by the program's input numbers. Attention counts the pairs of rows that its offsets make; where they are
 * left out, all rows with all.
 */
export function costOf(
  program: Program,
  sizes: readonly number[] = [],
  inputs: readonly (Float32Array | Int32Array | undefined)[] = program.inputs.map((i) => i.data),
): ProgramCost {
  const values = program.values.map(({ shape, dtype, source }): CostOperand => {
    const data = source.kind === 'input' ? inputs[source.input] : undefined;
    return {
      shape: actualShape(shape, sizes),
      dtype,
      data: data instanceof Int32Array ? data : undefined,
    };
  });
  const nodes: NodeCost[] = [];
  let [flops, bytes] = [0, 0];
  for (const { op, name, operands, attributes, result } of program.nodes) {
    const given: CostOperand[] = [];
    // An absent operand is number −1, and so no value.
    for (const operand of operands) given.push(values[operand] as CostOperand);
    const cost = ruleOf(op).cost(given, attributes, values[result] as CostOperand);
    nodes.push({ op, name, flops: cost.flops, bytes: cost.bytes });
    flops += cost.flops;
    bytes += cost.bytes;
  }
  return { nodes, flops, bytes };
}
