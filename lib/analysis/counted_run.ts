/** A graph at given sizes: the work and the memory of a run, without running it. */
import { costOf, type ProgramCost } from '../graph/cost.js';
import { lifetimesAt } from '../graph/encode.js';
import { fuseNodes } from '../graph/fuse.js';
import { placeLifetimes } from '../graph/memory.js';
import type { ParameterRole } from '../graph/parameters.js';
import { actualShape, type Program, type Traced } from '../graph/program.js';
import { type SymbolicDim, tensorBytes } from '../graph/shape.js';
import type { State } from '../graph/state.js';
import type { PlacedRun } from './repeated_run.js';

export interface CountedRun {
  /** As the engine runs it: after fusion. */
  readonly program: Program;
  readonly states: readonly State[];
  readonly sizes: readonly number[];
  /** Of inputs that decide how much there is to do, such as where sequences begin. */
  readonly inputs: readonly (Int32Array | undefined)[];
}

/** @param inputs by name; others are left out. */
export function countedRun(
  { program, states, symbols }: Traced,
  sizes: ReadonlyMap<SymbolicDim, number>,
  inputs: Readonly<Record<string, Int32Array>>,
): CountedRun {
  return {
    program: fuseNodes(program),
    states,
    sizes: symbols.map((symbol) => sizes.get(symbol) ?? 0),
    inputs: program.inputs.map(({ name }) => inputs[name]),
  };
}

/** By the same formulas as profiles of real runs. */
export const costOfRun = ({ program, sizes, inputs }: CountedRun): ProgramCost =>
  costOf(program, sizes, inputs);

/** Where the values of a plan of this run are to lie. @param capacityOf what a plan that runs so many is made for. */
export function placedRun(
  { program, states, sizes }: CountedRun,
  capacityOf: (size: number) => number = (size) => size,
): PlacedRun {
  const lifetimes = lifetimesAt(program, sizes.map(capacityOf));
  const kinds = program.nodes.map(({ op }) => op);
  for (const { first, bytes } of lifetimes) kinds[first] += ` ${bytes}`;
  // What writes a parameter makes no value that is placed, but every layer has one of that name.
  program.nodes.forEach(({ result }, at) => {
    const source = program.values[result]?.source;
    if (source?.kind === 'state') kinds[at] += ` ${states[source.state]?.name.replace(/\d+/g, '')}`;
  });
  return { kinds, lifetimes, values: program.values.length };
}

/** Bytes of the arena that its plan has. */
export const arenaBytes = ({ lifetimes, values }: PlacedRun): number =>
  placeLifetimes(lifetimes, values).bytes;

/** Bytes of what a run returns. */
export function resultBytes({ program, sizes }: CountedRun): number {
  return program.outputs.reduce((sum, { value }) => {
    const { dtype, shape } = program.values[value] as Program['values'][number];
    return sum + tensorBytes(dtype, actualShape(shape, sizes));
  }, 0);
}

/**
 * Bytes of parameters as the engine holds them while these runs are made: a weight that is only multiplied is kept packed
 * alone, and so is a table of words that is the output projection as well; one that is also read in another way is held beside
 * it; one that is written is as it is. Without the padding of the last panel.
 *
 * @param isWritten whether runs write the parameters, as training does.
 */
export function parameterBytes(
  roles: ReadonlyMap<State, ParameterRole>,
  runs: readonly CountedRun[],
  isWritten = false,
): number {
  const multiplied = new Set<State>();
  for (const { program, states } of runs) {
    for (const { op, operands } of program.nodes) {
      const source = op === 'linear' ? program.values[operands[1] ?? -1]?.source : undefined;
      const state = source?.kind === 'state' ? states[source.state] : undefined;
      if (state) multiplied.add(state);
    }
  }
  let bytes = 0;
  for (const [state, role] of roles) {
    const isPlain = isWritten || (role !== 'linear' && !state.isTied);
    const isPacked = !isPlain || (multiplied.has(state) && !isWritten);
    bytes += (Number(isPlain) + Number(isPacked)) * tensorBytes(state.dtype, state.shape);
  }
  return bytes;
}

/** Bytes of constant tables, such as the angles of rotary positions. */
export function tableBytes(
  roles: ReadonlyMap<State, ParameterRole>,
  { states }: CountedRun,
): number {
  const tables = states.filter((state) => !roles.has(state));
  return tables.reduce((sum, { dtype, shape }) => sum + tensorBytes(dtype, shape), 0);
}
