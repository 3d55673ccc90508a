import type { Backend } from '../graph/backend.js';
import { type CompiledGraph, compile } from '../graph/run.js';
import { exampleStream, withinBudget } from './batches.js';
import type { Objective, RunLimits } from './objective.js';

/** What a model makes of examples that it does not learn. */
export interface Evaluation {
  /** The mean of the objective's loss. */
  readonly loss: number;
  /** Share of examples that were answered right, of objectives that have such. */
  readonly accuracy?: number;
}

/** Judges a model on the same examples again and again. */
export class Evaluator<E> {
  private graph: CompiledGraph | undefined;
  private readonly batches: readonly (readonly E[])[];
  private readonly total: number;

  constructor(
    private readonly objective: Objective<E>,
    examples: readonly E[],
    private readonly limits: RunLimits,
    private readonly backend: Backend,
  ) {
    const all = withinBudget(examples, (example) => objective.tokens(example), limits);
    // Judged beside each other, examples need as many others as they had when they were learnt.
    this.batches = objective.isJoint ? all.filter(({ length }) => length === limits.examples) : all;
    this.total = this.batches.flat().reduce((sum, example) => sum + objective.weight(example), 0);
  }

  get count(): number {
    return this.batches.reduce((sum, { length }) => sum + length, 0);
  }

  async run(signal: AbortSignal | undefined): Promise<Evaluation> {
    const { objective, limits, total } = this;
    this.graph ??= await compile(
      { ...objective.scored, loss: objective.loss },
      objective.capacities(limits),
      { backend: this.backend },
    );
    let loss = 0;
    let correct = 0;
    for (const [i, batch] of this.batches.entries()) {
      const random = (place: number) => exampleStream(0, i, place);
      const { feeds, sizes } = objective.fill(batch, total, random);
      const results = await this.graph.run(feeds, sizes, { signal });
      loss += results.loss?.data[0] ?? Number.NaN;
      correct += objective.correct?.(results, batch) ?? 0;
    }
    return { loss, ...(objective.scored ? { accuracy: correct / this.count } : {}) };
  }

  dispose(): void {
    this.graph?.dispose();
  }
}
