import { setImmediate } from 'node:timers/promises';
import { type ErrorCode, HeddleError } from '../errors.js';
import type { NativeAddon, NativeForm, NativeState } from '../native.js';
import type { Backend, BackendPlan, RunOptions } from './backend.js';
import { encode, placeValues } from './encode.js';
import { fuse } from './fuse.js';
import type { RunProfile } from './profile.js';
import type { Program } from './program.js';
import type { State } from './state.js';

/** The engine of native/: fuses, lowers and encodes programs, and keeps states in native memory. */
export class NativeBackend implements Backend {
  readonly name = 'native';
  private readonly kernels: readonly string[];
  private readonly fusedPrograms = new WeakMap<Program, Program>();
  /** States that some program writes. */
  private readonly changing = new WeakSet<State>();
  /** Given a function, the backend times every node of every run, and calls it after each. Slows runs by a barrier a node. */
  onProfile: ((run: RunProfile) => void) | undefined;

  constructor(readonly addon: NativeAddon) {
    this.kernels = addon.kernels();
  }

  async load(state: State, form: NativeForm): Promise<void> {
    if (state.copyOn(this)) return;
    const { source, dtype, shape } = state;
    const isFile = source.kind === 'file';
    const ranges = isFile ? [source.range] : source.kind === 'files' ? source.ranges : undefined;
    const layout = isFile && source.transposed ? 'packedTransposed' : form;
    const copy = ranges
      ? await typed(() => this.addon.loadState(ranges, dtype, layout))
      : typedNow(() =>
          this.addon.createState(dtype, [...shape], source.kind === 'data' ? source.data : null),
        );
    if (state.copyOn(this)) copy.release();
    else state.keepCopy(this, copy);
  }

  async read(state: State): Promise<Float32Array | Int32Array | Uint16Array> {
    await this.load(state, 'plain');
    return typedNow(() => (state.copyOn(this) as NativeState).read());
  }

  prepare(program: Program, states: readonly State[]): void {
    this.fused(program, states);
    for (const state of states) {
      const { kind } = state.source;
      // Where that fails, so does the first plan, which says so.
      if (kind === 'data' || kind === 'zeros') this.load(state, 'plain').catch(() => undefined);
    }
  }

  private fused(program: Program, states: readonly State[]): Program {
    let fused = this.fusedPrograms.get(program);
    if (!fused) {
      for (const written of program.nodes.flatMap(({ result, further }) => [result, ...further])) {
        const source = program.values[written]?.source;
        const state = source?.kind === 'state' ? states[source.state] : undefined;
        if (state) this.changing.add(state);
      }
      fused = withForms(fuse(program), states, this.changing);
      this.fusedPrograms.set(program, fused);
    }
    return fused;
  }

  async compile(
    program: Program,
    capacities: readonly number[],
    states: readonly State[],
  ): Promise<BackendPlan> {
    // Each of these takes milliseconds for a large model: what else waits for the event loop comes in between.
    await setImmediate();
    const fused = this.fused(program, states);
    await setImmediate();
    const arena = placeValues(fused, capacities);
    await setImmediate();
    const words = encode(fused, capacities, this.kernels, arena);
    await setImmediate();
    const packed = packedStates(fused);
    await Promise.all(
      states.map((state, i) => this.load(state, packed.has(i) ? 'packed' : 'plain')),
    );
    const copies = states.map((state) => state.copyOn(this) as NativeState);
    const plan = typedNow(() => this.addon.createPlan(words, copies));
    const run = async (
      sizes: readonly number[],
      inputs: readonly (Float32Array | Int32Array)[],
      { signal, profile }: RunOptions = {},
    ): Promise<Float32Array[]> => {
      signal?.throwIfAborted();
      const { onProfile } = this;
      const times = profile ?? (onProfile ? new Float64Array(2 * fused.nodes.length) : null);
      const begin = performance.now();
      const cancel = signal ? this.addon.createCancel() : null;
      const onAbort = (): void => cancel?.cancel();
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        const results = await typed(() =>
          this.addon.run(plan, [...sizes], [...inputs], cancel, times),
        );
        if (times) onProfile?.({ program: fused, sizes, inputs, begin, times });
        return results;
      } catch (error) {
        signal?.throwIfAborted();
        throw error;
      } finally {
        signal?.removeEventListener('abort', onAbort);
      }
    };
    return {
      nodes: fused.nodes.map(({ op, name }) => ({ op, name })),
      arenaBytes: plan.arenaBytes,
      run,
      dispose: () => plan.release(),
    };
  }
}

/**
 * Lets `embedding` read rows of the packed form of tied tables, which then need no other, and `linear` multiply weights that
 * change as they are: packed ones would be made anew after each change, and take as much memory again.
 */
function withForms(
  program: Program,
  states: readonly State[],
  changing: { has(state: State): boolean },
): Program {
  const stateOf = (value: number | undefined): State | undefined => {
    const source = program.values[value ?? -1]?.source;
    return source?.kind === 'state' ? states[source.state] : undefined;
  };
  const nodes = program.nodes.map((node) => {
    const { op, operands, attributes } = node;
    if (op === 'embedding') {
      const table = stateOf(operands[0]);
      const packed = table?.isTied && !changing.has(table);
      return packed ? { ...node, attributes: { ...attributes, packed } } : node;
    }
    const weight = op === 'linear' ? stateOf(operands[1]) : undefined;
    const plain = weight?.dtype === 'float32' && changing.has(weight);
    return plain ? { ...node, attributes: { ...attributes, plain } } : node;
  });
  return { ...program, nodes };
}

/** Numbers of the states that are only read packed, and so are kept that way. */
function packedStates(program: Program): Set<number> {
  const packed = new Set<number>();
  const plain = new Set<number>();
  for (const { op, attributes, operands } of program.nodes) {
    const isTable = op === 'embedding' && attributes.packed;
    const isLinear = op === 'linear' && !attributes.plain;
    const readPacked = isLinear ? 1 : op === 'linearExperts' ? 2 : isTable ? 0 : -1;
    operands.forEach((operand, i) => {
      const source = program.values[operand]?.source;
      if (source?.kind === 'state') (i === readPacked ? packed : plain).add(source.state);
    });
  }
  return new Set([...packed].filter((state) => !plain.has(state)));
}

/** Gives errors of the addon, which carry a code, the library's own class. */
function asHeddleError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof HeddleError) return error;
  const code = (error as { code?: string }).code;
  return code?.startsWith('ERR_')
    ? new HeddleError(code as ErrorCode, error.message, { cause: error })
    : error;
}

/** The addon throws at once for a wrong argument, and rejects for what fails later: both here. */
async function typed<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw asHeddleError(error);
  }
}

function typedNow<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw asHeddleError(error);
  }
}
