import { nativeDTypes } from '../native.js';
import { type ArenaPlan, type Lifetime, lifetimesOf, placeLifetimes } from './memory.js';
import { actualShape, type Program } from './program.js';
import { ruleOf } from './rules.js';
import { tensorBytes } from './shape.js';

/** Words of native/plan_format.h. */
const magic = 0x314e4c5044444548n;
const kinds = { arena: 0, input: 1, output: 2, state: 3 } as const;

/** Lifetimes of a program's values. @param capacities the most that a run may give each symbol. */
export function lifetimesAt(program: Program, capacities: readonly number[]): Lifetime[] {
  return lifetimesOf(program, (value) => {
    const { dtype, shape } = program.values[value];
    return tensorBytes(dtype, actualShape(shape, capacities));
  });
}

/** Places a program's values in an arena. @param capacities the most that a run may give each symbol. */
export const placeValues = (program: Program, capacities: readonly number[]): ArenaPlan =>
  placeLifetimes(lifetimesAt(program, capacities), program.values.length);

/**
 * Encodes a program for the engine: lowers its ops to kernel calls.
 *
 * @param capacities the most that a run may give each symbol. @param arena where its values lie at these capacities.
 * @param kernels names of the engine's kernels; an index is a kernel's id.
 */
export function encode(
  program: Program,
  capacities: readonly number[],
  kernels: readonly string[],
  arena: ArenaPlan,
): BigInt64Array {
  const words: (number | bigint)[] = [];
  const stateCount = program.values.filter((value) => value.source.kind === 'state').length;
  const outputIndex = new Map(program.outputs.map((output, i) => [output.value, i]));

  words.push(magic, program.symbols.length, program.values.length, program.nodes.length);
  words.push(stateCount, program.inputs.length, program.outputs.length, arena.bytes);
  words.push(...capacities);
  program.values.forEach(({ source, dtype, shape }, value) => {
    const output = outputIndex.get(value);
    if (source.kind === 'state') words.push(kinds.state, nativeDTypes.indexOf(dtype), source.state);
    else if (source.kind === 'input')
      words.push(kinds.input, nativeDTypes.indexOf(dtype), source.input);
    else if (output !== undefined) words.push(kinds.output, nativeDTypes.indexOf(dtype), output);
    else words.push(kinds.arena, nativeDTypes.indexOf(dtype), arena.offsets[value] ?? -1);
    words.push(shape.length, ...shape);
  });
  for (const node of program.nodes) {
    const operands = node.operands.map((operand) => {
      const value = program.values[operand];
      return value && { ...value, isState: value.source.kind === 'state' };
    });
    const rule = ruleOf(node.op);
    const call = rule.lower(node.attributes, operands);
    const kernel = kernels.indexOf(call.kernel);
    if (kernel < 0)
      throw new Error(`the addon has no kernel '${call.kernel}', which the op '${node.op}' needs`);
    const order = call.operands ?? rule.operands.map((_, i) => i);
    const inputs = order.map((i) => node.operands[i] ?? -1);
    const results = [node.result, ...node.further];
    words.push(kernel, inputs.length, results.length, call.ints.length, call.floats.length);
    words.push(...inputs, ...results, ...call.ints, ...call.floats.map(floatBits));
  }
  // By a loop: `from` takes several times as long, milliseconds of a large model's first run.
  const plan = new BigInt64Array(words.length);
  for (let i = 0; i < words.length; i++) plan[i] = BigInt(words[i]);
  return plan;
}

const floatView = new DataView(new ArrayBuffer(8));

function floatBits(value: number): bigint {
  floatView.setFloat64(0, value);
  return floatView.getBigInt64(0);
}
