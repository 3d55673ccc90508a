import { HeddleError } from '../errors.js';
import { actualShape, type Program } from './program.js';
import { type ReferenceOutput, type ReferenceTensor, ruleOf } from './rules.js';

/** States of the float64 backend, by the program's state numbers. */
export type ReferenceStates = readonly (Float64Array | Int32Array)[];

/**
 * Runs a program in float64, node by node, through the reference implementation of each op. It ignores buffer layout
 * and fusion: this is what the native engine has to agree with, and what runs where there is none.
 *
 * @param sizes actual sizes of the symbols.
 * @param isCancelled looked at between nodes.
 * @returns outputs in float64, by output number.
 */
export function runReference(
  program: Program,
  sizes: readonly number[],
  inputs: readonly (Float32Array | Float64Array | Int32Array)[],
  states: ReferenceStates,
  isCancelled: () => boolean = () => false,
): Float64Array[] {
  const values: (ReferenceTensor | undefined)[] = program.values.map((value) => {
    const shape = actualShape(value.shape, sizes);
    if (value.source.kind === 'op') return { shape, data: new Float64Array(0) };
    const data =
      value.source.kind === 'state' ? states[value.source.state] : inputs[value.source.input];
    const count = shape.reduce((product, dim) => product * dim, 1);
    if (data?.length !== count) {
      throw new HeddleError(
        'ERR_SHAPE',
        `input: expected ${count} elements for [${shape.join(', ')}], found ${data?.length ?? 'none'}`,
      );
    }
    return { shape, data: data instanceof Float32Array ? Float64Array.from(data) : data };
  });

  const remaining = new Array<number>(program.values.length).fill(0);
  for (const { operands } of program.nodes) {
    for (const value of operands) if (value >= 0) remaining[value]++;
  }
  for (const { value } of program.outputs) remaining[value]++;

  // States are written to copies, which replace the contents at the end: a run that fails changes nothing.
  const written = new Map<number, Float64Array>();
  for (const node of program.nodes) {
    if (isCancelled()) throw new HeddleError('ERR_ENGINE', 'the run was cancelled');
    const rule = ruleOf(node.op);
    const outputOf = (value: number): ReferenceOutput => {
      const { shape = [] } = values[value] ?? {};
      return { shape, data: new Float64Array(shape.reduce((product, dim) => product * dim, 1)) };
    };
    const output = outputOf(node.result);
    const further = node.further.map((value) => (value < 0 ? undefined : outputOf(value)));
    [output, ...further].slice(0, rule.writes?.length ?? 0).forEach((state, i) => {
      const number = i === 0 ? node.result : (node.further[i - 1] as number);
      state?.data.set(values[number]?.data as Float64Array);
      if (state) written.set(number, state.data);
    });
    const operands = node.operands.map((operand) => values[operand]) as ReferenceTensor[];
    rule.reference(operands, node.attributes, output, further);
    values[node.result] = output;
    node.further.forEach((value, i) => {
      if (value >= 0) values[value] = further[i];
    });
    for (const operand of node.operands) {
      if (operand < 0) continue;
      remaining[operand]--;
      if (remaining[operand] === 0 && program.values[operand].source.kind === 'op') {
        values[operand] = undefined;
      }
    }
  }
  for (const [value, contents] of written) {
    const { source } = program.values[value];
    if (source.kind === 'state') states[source.state].set(contents);
  }
  return program.outputs.map(({ value }) => values[value]?.data as Float64Array);
}
