import type { Program } from './program.js';
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
      shape: shape.map((dim) => (dim < 0 ? sizes[-1 - dim] : dim)),
      dtype,
      data: data instanceof Int32Array ? data : undefined,
    };
  });
  const nodes = program.nodes.map(({ op, name, operands, attributes, result }): NodeCost => {
    // An absent operand is number −1, and so no value.
    const given = operands.map((operand) => values[operand]) as CostOperand[];
    return { op, name, ...ruleOf(op).cost(given, attributes, values[result] as CostOperand) };
  });
  const sum = (of: (node: NodeCost) => number): number =>
    nodes.reduce((total, node) => total + of(node), 0);
  return { nodes, flops: sum((node) => node.flops), bytes: sum((node) => node.bytes) };
}
