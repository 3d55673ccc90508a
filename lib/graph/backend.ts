import type { NativeForm } from '../native.js';
import type { Program } from './program.js';
import type { State } from './state.js';

export interface RunOptions {
  /** Ends the run within one kernel's tiles; the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
  /** Filled with start and end of each node, in nanoseconds from the start of the run. */
  profile?: Float64Array | undefined;
}

/** A program made ready for one backend and one capacity. */
export interface BackendPlan {
  /** Kernel or op names of the nodes, in order of execution. */
  readonly nodes: readonly { op: string; name: string | undefined }[];
  readonly arenaBytes: number;
  /**
   * @param sizes actual sizes of the program's symbols, at most the capacities.
   * @param inputs by the program's input numbers.
   * @returns one dense array for each output.
   */
  run(
    sizes: readonly number[],
    inputs: readonly (Float32Array | Int32Array)[],
    options?: RunOptions,
  ): Promise<Float32Array[]>;
  dispose(): void;
}

/** What executes programs: the native engine, or the float64 interpreter in TypeScript. */
export interface Backend {
  readonly name: 'native' | 'reference';
  /** Brings a state's first contents into the backend's memory; does nothing where they are there. */
  load(state: State, form: NativeForm): Promise<void>;
  /** The present contents of a state, in its own dtype. */
  read(state: State): Promise<Float32Array | Int32Array | Uint16Array>;
  /** Does ahead what `compile` does of this program for every capacity alike. */
  prepare?(program: Program, states: readonly State[]): void;
  /** @param states by the program's state numbers; those that are not loaded yet are. */
  compile(
    program: Program,
    capacities: readonly number[],
    states: readonly State[],
  ): Promise<BackendPlan>;
}
