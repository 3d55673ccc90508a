import { HeddleError } from '../errors.js';
import type { Backend, BackendPlan, RunOptions } from './backend.js';
import { defaultBackend } from './default_backend.js';
import { checkOptions } from './options.js';
import { type Traced, trace } from './program.js';
import { resolveShape, type SymbolicDim } from './shape.js';
import { Tensor } from './tensor.js';

/** Dense, row-major. */
export interface NdArray {
  data: Float32Array;
  shape: number[];
}

/** Values for the named inputs of a graph. */
export type Feeds = Readonly<Record<string, Float32Array | Int32Array>>;

/** A graph made ready for a backend at one capacity; run it as often as you like. */
export class CompiledGraph {
  constructor(
    private readonly traced: Traced,
    private readonly outputs: Readonly<Record<string, Tensor>>,
    readonly plan: BackendPlan,
    private readonly capacities: readonly number[],
  ) {}

  /** @param sizes actual size of each symbolic dimension. */
  async run(
    feeds: Feeds,
    sizes: ReadonlyMap<SymbolicDim, number> = new Map(),
    options: RunOptions = {},
  ): Promise<Record<string, NdArray>> {
    const { program, symbols } = this.traced;
    const actual = symbols.map((symbol, i) => {
      const size = sizes.get(symbol);
      const capacity = this.capacities[i];
      if (size === undefined || !Number.isInteger(size) || size < 0 || size > capacity) {
        throw new HeddleError(
          'ERR_SHAPE',
          `${symbol}: expected a whole number from 0 to the plan's capacity of ${capacity}, found ${size}`,
        );
      }
      return size;
    });
    const inputs = program.inputs.map(({ name, value, data }) => {
      const given = data ?? feeds[name];
      const shape = program.values[value].shape;
      const count = shape.reduce((n, dim) => n * (dim < 0 ? actual[-1 - dim] : dim), 1);
      if (given?.length !== count) {
        throw new HeddleError(
          'ERR_SHAPE',
          `input ${name}: expected ${count} numbers, found ${given?.length ?? 'none'}`,
        );
      }
      return given;
    });
    const results = await this.plan.run(actual, inputs, options);
    const sizeOf = (symbol: SymbolicDim): number => sizes.get(symbol) ?? 0;
    return Object.fromEntries(
      Object.entries(this.outputs).map(([name, tensor], i) => [
        name,
        { data: results[i] as Float32Array, shape: resolveShape(tensor.shape, sizeOf) },
      ]),
    );
  }

  dispose(): void {
    this.plan.dispose();
  }
}

/**
 * Makes a graph ready to run.
 * @param outputs the tensors to compute, by name. @param capacities the most each symbolic dimension may be.
 * @param effects writes of states (`assign`, `append`) that no output depends on.
 */
export async function compile(
  outputs: Readonly<Record<string, Tensor>>,
  capacities: ReadonlyMap<SymbolicDim, number> = new Map(),
  options: { effects?: readonly Tensor[]; backend?: Backend } = {},
): Promise<CompiledGraph> {
  checkOptions('compile', options, ['effects', 'backend']);
  const { effects = [], backend = defaultBackend() } = options;
  const traced = trace(outputs, effects);
  return compileTraced(traced, outputs, capacities, backend);
}

export async function compileTraced(
  traced: Traced,
  outputs: Readonly<Record<string, Tensor>>,
  capacities: ReadonlyMap<SymbolicDim, number>,
  backend: Backend,
): Promise<CompiledGraph> {
  const limits = traced.symbols.map((symbol) => {
    const capacity = capacities.get(symbol);
    if (capacity === undefined)
      throw new HeddleError('ERR_ARGUMENT', `no capacity given for ${symbol}`);
    return capacity;
  });
  const plan = await backend.compile(traced.program, limits, traced.states);
  return new CompiledGraph(traced, outputs, plan, limits);
}

/** Computes tensors whose inputs were all given when the graph was made. */
export async function run(tensor: Tensor, options?: RunOptions): Promise<NdArray>;
export async function run<K extends string>(
  tensors: Readonly<Record<K, Tensor>>,
  options?: RunOptions,
): Promise<Record<K, NdArray>>;
export async function run(
  what: Tensor | Readonly<Record<string, Tensor>>,
  options: RunOptions = {},
): Promise<NdArray | Record<string, NdArray>> {
  checkOptions('run', options, ['signal', 'profile']);
  const single = what instanceof Tensor;
  const outputs = single ? { result: what } : what;
  const graph = await compile(outputs);
  try {
    const results = await graph.run({}, new Map(), options);
    return single ? (results.result as NdArray) : results;
  } finally {
    graph.dispose();
  }
}
