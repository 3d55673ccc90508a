import type { Program, ProgramNode } from './program.js';

/**
 * Merges what the native kernels compute in one pass: `linear` with the activation and the residual addition that
 * follow it, and some others with an addition: that of gradients, above all. A value that somebody else reads, or that is an
 * output (and so watched), is kept, and its node stays unfused.
 *
 * The float64 backend runs programs as they were traced; that both agree is what the tests compare.
 */
export const fuse = (program: Program): Program => withoutUnused(fuseNodes(program));

/** `fuse` that leaves the values in which no node writes any more: enough for counting. */
export function fuseNodes(program: Program): Program {
  const uses = new Array<number>(program.values.length).fill(0);
  for (const node of program.nodes) {
    for (const operand of node.operands) if (operand >= 0) uses[operand]++;
  }
  for (const output of program.outputs) uses[output.value]++;

  const nodes: (ProgramNode | undefined)[] = [];
  const producer = new Map<number, number>();
  const isFloat = (value: number): boolean => program.values[value]?.dtype === 'float32';
  const sameShape = (a: number, b: number): boolean =>
    String(program.values[a]?.shape) === String(program.values[b]?.shape);
  /** Whether a state that the node reads was written since: moved behind the write, it would read other contents. */
  const isOvertaken = (at: number): boolean => {
    const { operands } = nodes[at] as ProgramNode;
    for (let i = at + 1; i < nodes.length; i++) {
      const later = nodes[i];
      if (later && [later.result, ...later.further].some((value) => operands.includes(value)))
        return true;
    }
    return false;
  };
  /** The node that makes `value`, if nobody else reads it and it may as well run now. */
  const soleProducer = (value: number | undefined): number | undefined => {
    const at = value !== undefined && uses[value] === 1 ? producer.get(value) : undefined;
    return at === undefined || isOvertaken(at) ? undefined : at;
  };
  const replace = (at: number, fused: ProgramNode): void => {
    nodes[at] = undefined;
    producer.set(fused.result, nodes.push(fused) - 1);
  };

  for (const node of program.nodes) {
    if (node.op === 'activation') {
      const at = soleProducer(node.operands[0]);
      const source = at === undefined ? undefined : nodes[at];
      if (at !== undefined && source?.op === 'linear' && canActivate(source)) {
        const attributes = { ...source.attributes, activation: node.attributes.activation };
        replace(at, { ...source, attributes, result: node.result, name: node.name ?? source.name });
        continue;
      }
    }
    if (node.op === 'add') {
      const made = node.operands.map(soleProducer);
      // The later of two: what the earlier one reads would have to be kept until here.
      const sides = (made[1] ?? -1) > (made[0] ?? -1) ? [1, 0] : [0, 1];
      const fused = sides.some((side) => {
        const at = made[side];
        const source = at === undefined ? undefined : nodes[at];
        const residual = node.operands[1 - side] ?? -1;
        const slot = source && residualSlot[source.op];
        if (at === undefined || !source || slot === undefined) return false;
        if ((source.operands[slot] ?? -1) >= 0 || !isFloat(residual)) return false;
        if (!sameShape(residual, node.result) || !sameShape(source.result, node.result))
          return false;
        const operands = [...source.operands];
        while (operands.length < slot) operands.push(-1);
        operands[slot] = residual;
        replace(at, { ...source, operands, result: node.result, name: node.name ?? source.name });
        return true;
      });
      if (fused) continue;
    }
    producer.set(node.result, nodes.push(node) - 1);
  }
  return { ...program, nodes: nodes.filter((node) => node !== undefined) };
}

/** Drops the values that fusion took the nodes of. */
function withoutUnused(program: Program): Program {
  const made = new Set(program.nodes.flatMap((node) => [node.result, ...node.further]));
  const numbers: number[] = [];
  let count = 0;
  const values = program.values.filter((value, number) => {
    const isUsed = value.source.kind !== 'op' || made.has(number);
    numbers[number] = isUsed ? count++ : -1;
    return isUsed;
  });
  const renumber = (value: number): number => (value < 0 ? value : numbers[value]);
  return {
    ...program,
    values,
    nodes: program.nodes.map((node) => ({
      ...node,
      operands: node.operands.map(renumber),
      result: renumber(node.result),
      further: node.further.map(renumber),
    })),
    inputs: program.inputs.map((entry) => ({ ...entry, value: renumber(entry.value) })),
    outputs: program.outputs.map((entry) => ({ ...entry, value: renumber(entry.value) })),
  };
}

/** The operand that takes a residual, for the kernels that can add one. */
const residualSlot: Readonly<Record<string, number>> = {
  linear: 3,
  matmul: 3,
  columnsGradient: 1,
  embedding: 2,
};

/** The epilogue is act(x·Wᵀ + bias) + residual: no activation can follow a residual. */
function canActivate(linear: ProgramNode): boolean {
  return (
    linear.attributes.activation === 'none' &&
    (linear.operands[residualSlot.linear ?? -1] ?? -1) < 0
  );
}
