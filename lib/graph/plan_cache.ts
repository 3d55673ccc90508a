import type { Backend } from './backend.js';
import { type Traced, trace } from './program.js';
import { type CompiledGraph, compileTraced } from './run.js';
import type { SymbolicDim } from './shape.js';
import type { Tensor } from './tensor.js';

/** The next capacity at or above `size`, in steps of about 1.5: few plans serve all sizes, and little arena is wasted. */
export function capacityFor(size: number): number {
  let capacity = 32;
  while (capacity < size) capacity = Math.ceil((capacity * 1.5) / 8) * 8;
  return capacity;
}

interface Graph {
  traced: Traced;
  outputs: Readonly<Record<string, Tensor>>;
}

/**
 * Graphs traced once for each set of outputs, and plans compiled for each capacity they were needed at. The least
 * recently used plans are dropped.
 */
export class PlanCache {
  private readonly graphs = new Map<string, Graph>();
  private readonly plans = new Map<string, Promise<CompiledGraph>>();

  /** @param limit how many plans are kept. */
  constructor(
    private readonly backend: Backend,
    private readonly limit = 16,
  ) {}

  /**
   * @param key names what `build` makes: the same key must mean the same graph.
   * @param sizes actual sizes of the symbols in this call.
   */
  get(
    key: string,
    build: () => Readonly<Record<string, Tensor>>,
    sizes: ReadonlyMap<SymbolicDim, number>,
  ): Promise<CompiledGraph> {
    const { traced, outputs } = this.graph(key, build);
    const capacities = new Map(
      traced.symbols.map((symbol) => [symbol, capacityFor(sizes.get(symbol) ?? 0)]),
    );
    const planKey = `${key} ${[...capacities.values()]}`;
    let plan = this.plans.get(planKey);
    this.plans.delete(planKey); // and back in at the end: a Map keeps the order of insertion
    plan ??= compileTraced(traced, outputs, capacities, this.backend);
    this.plans.set(planKey, plan);
    plan.catch(() => this.plans.delete(planKey));
    for (const oldest of this.plans.keys()) {
      if (this.plans.size <= this.limit) break;
      this.drop(oldest);
    }
    return plan;
  }

  /** Does what a graph's first use needs, and what needs neither sizes nor weights. */
  prepare(key: string, build: () => Readonly<Record<string, Tensor>>): void {
    const { program, states } = this.graph(key, build).traced;
    this.backend.prepare?.(program, states);
  }

  private graph(key: string, build: () => Readonly<Record<string, Tensor>>): Graph {
    let graph = this.graphs.get(key);
    if (!graph) {
      const outputs = build();
      graph = { traced: trace(outputs), outputs };
      this.graphs.set(key, graph);
    }
    return graph;
  }

  dispose(): void {
    for (const key of [...this.plans.keys()]) this.drop(key);
    this.graphs.clear();
  }

  private drop(key: string): void {
    this.plans.get(key)?.then(
      (plan) => plan.dispose(),
      () => undefined,
    );
    this.plans.delete(key);
  }
}
