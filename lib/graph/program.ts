import { HeddleError, mismatch } from '../errors.js';
import type { NativeDType } from '../native.js';
import { describeValue } from './options.js';
import { type Attributes, ruleOf } from './rules.js';
import { type Dim, formatShape, SymbolicDim } from './shape.js';
import type { State } from './state.js';
import { expectTensor, type Tensor } from './tensor.js';

/** A dimension in a program: its size, or −1 − i for the i-th symbol. */
export type ProgramDim = number;

/** The shape of a run. @param sizes of the program's symbols. */
export function actualShape(shape: readonly ProgramDim[], sizes: readonly number[]): number[] {
  const actual: number[] = [];
  for (const dim of shape) actual.push(dim < 0 ? (sizes[-1 - dim] as number) : dim);
  return actual;
}

export interface ProgramValue {
  readonly shape: readonly ProgramDim[];
  readonly dtype: NativeDType;
  readonly source:
    | { kind: 'op' }
    | { kind: 'state'; state: number }
    | { kind: 'input'; input: number };
}

export interface ProgramNode {
  readonly op: string;
  /** Value numbers; −1 where an optional operand is absent. */
  readonly operands: readonly number[];
  readonly result: number;
  /** Its results after the first; −1 where nothing reads one. */
  readonly further: readonly number[];
  readonly attributes: Attributes;
  readonly name: string | undefined;
}

/**
 * A graph, cut down to what some outputs need, as plain data: it can be posted to a worker, and its dims do not
 * refer to objects. Nodes stand in the order in which they were recorded, which is what makes reads and writes of
 * states well defined.
 */
export interface Program {
  readonly symbols: readonly string[];
  readonly values: readonly ProgramValue[];
  readonly nodes: readonly ProgramNode[];
  /** `data` where the graph itself holds the numbers; otherwise each run supplies them under `name`. */
  readonly inputs: readonly { name: string; value: number; data?: Float32Array | Int32Array }[];
  readonly outputs: readonly { name: string; value: number }[];
}

/** A program beside the objects that it numbers. */
export interface Traced {
  readonly program: Program;
  readonly states: readonly State[];
  readonly symbols: readonly SymbolicDim[];
}

/**
 * Collects what `outputs` need, and every node of `effects` (writes of states) even if no output needs it.
 */
export function trace(
  outputs: Readonly<Record<string, Tensor>>,
  effects: readonly Tensor[] = [],
): Traced {
  if (typeof outputs !== 'object' || outputs === null) {
    const expected = 'a tensor, or tensors by name';
    throw mismatch('ERR_ARGUMENT', 'outputs', expected, describeValue(outputs));
  }
  for (const [name, value] of Object.entries(outputs)) expectTensor(value, `output ${name}`);
  for (const value of effects) expectTensor(value, 'effects');
  const symbols: SymbolicDim[] = [];
  const states: State[] = [];
  const values: ProgramValue[] = [];
  const nodes: ProgramNode[] = [];
  const furtherOf = new Map<Tensor, number[]>(); // of the first result
  const inputs: { name: string; value: number; data?: Float32Array | Int32Array }[] = [];
  const numbers = new Map<Tensor, number>();
  const stateValues = new Map<State, number>();

  const dimNumber = (dim: Dim): ProgramDim => {
    if (!(dim instanceof SymbolicDim)) return dim;
    const known = symbols.indexOf(dim);
    return -1 - (known >= 0 ? known : symbols.push(dim) - 1);
  };
  const addValue = (value: Tensor, source: ProgramValue['source']): number =>
    values.push({ shape: value.shape.map(dimNumber), dtype: value.dtype, source }) - 1;
  const numberOf = (value: Tensor | undefined): number => {
    if (!value) return -1;
    const number = numbers.get(value);
    if (number === undefined) throw new Error('operands are recorded before the ops that use them');
    return number;
  };

  for (const value of inRecordedOrder([...Object.values(outputs), ...effects])) {
    const { source } = value;
    if (source.kind === 'state') {
      let number = stateValues.get(source.state);
      if (number === undefined) {
        const state = states.push(source.state) - 1;
        number = addValue(value, { kind: 'state', state });
        stateValues.set(source.state, number);
      }
      numbers.set(value, number);
    } else if (source.kind === 'op') {
      const operands = source.operands.map(numberOf);
      const { op, attributes } = source;
      const { writes, further: others = [] } = ruleOf(op);
      const [result, ...states] = writes?.map((i) => operands[i] ?? -1) ?? [
        addValue(value, { kind: 'op' }),
      ];
      numbers.set(value, result);
      const further = others.map((_, i) => states[i] ?? -1);
      furtherOf.set(value, further);
      nodes.push({ op, operands, result, further, attributes, name: value.name ?? value.path });
    } else if (source.kind === 'further') {
      const further = furtherOf.get(source.of) as number[];
      if (further[source.index] < 0) further[source.index] = addValue(value, { kind: 'op' });
      numbers.set(value, further[source.index]);
    } else {
      const number = addValue(value, { kind: 'input', input: inputs.length });
      numbers.set(value, number);
      inputs.push(
        source.kind === 'data'
          ? { name: `data ${inputs.length}`, value: number, data: source.data }
          : { name: source.name, value: number },
      );
    }
  }

  // A run returns results of ops, each once: anything else leaves through a copy.
  const returned = new Set<number>();
  const outputList = Object.entries(outputs).map(([name, tensor]) => {
    if (tensor.dtype !== 'float32') {
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `output ${name}: expected float32, found ${tensor.dtype}${formatShape(tensor.shape)}`,
      );
    }
    let value = numberOf(tensor);
    if (values[value]?.source.kind !== 'op' || returned.has(value)) {
      const result = addValue(tensor, { kind: 'op' });
      nodes.push({
        op: 'scale',
        operands: [value],
        result,
        further: [],
        attributes: { scale: 1, shift: 0 },
        name,
      });
      value = result;
    }
    returned.add(value);
    return { name, value };
  });
  const program = { symbols: symbols.map(String), values, nodes, inputs, outputs: outputList };
  return { program, states, symbols };
}

/** Everything that `roots` reach, by creation: operands exist before the ops that use them. */
export function inRecordedOrder(roots: readonly Tensor[]): Tensor[] {
  const seen = new Set<Tensor>();
  const pending = [...roots];
  for (let value = pending.pop(); value; value = pending.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    if (value.source.kind === 'op') {
      for (const operand of value.source.operands) if (operand) pending.push(operand);
    } else if (value.source.kind === 'further') {
      pending.push(value.source.of);
    }
  }
  return [...seen].sort((a, b) => a.order - b.order);
}
