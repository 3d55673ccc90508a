import { HeddleError, mismatch } from '../errors.js';
import type { Backend, RunOptions } from '../graph/backend.js';
import { gradient } from '../graph/gradient.js';
import { checkFloat, checkOptions, checkSizes, describeValue } from '../graph/options.js';
import { type Traced, trace } from '../graph/program.js';
import { type CompiledGraph, compile, type Feeds } from '../graph/run.js';
import type { SymbolicDim } from '../graph/shape.js';
import { State } from '../graph/state.js';
import { inLayer, input, stateTensor, type Tensor } from '../graph/tensor.js';
import { dropoutFeeds, hasDropout } from '../layers/train_mode.js';
import { add, assign, clipFactor, moment, scale, sumOfSquares } from '../ops/index.js';
import type { Optimizer } from './optimizers.js';

/** The path of the nodes that clip gradients and write parameters. */
export const optimizerPath = 'optimizer';

/** Parameters that are trained alike. */
export interface ParameterGroup {
  parameters: Iterable<State>;
  /** In place of the optimiser's own. */
  weightDecay?: number;
  /** Factor of the learning rate; default 1. */
  rate?: number;
}

export interface TrainingStepOptions {
  /** Float32, one number: what is made smaller. */
  loss: Tensor;
  groups: readonly ParameterGroup[];
  optimizer: Optimizer;
  /** The most that the gradients' common norm may be; left out: any. */
  clipNorm?: number;
  /**
   * How much a step keeps of the parameters' exponential moving average, which is another state of each, `average`, and begins
   * as zeros: see `MovingAverage`. Left out: there is none.
   */
  average?: number;
  /** Values that are kept for the gradient, the others being computed again; see `gradient`. Left out: all are kept. */
  checkpoints?: readonly Tensor[];
  /** The most each symbolic dimension of the loss may be. */
  capacities?: ReadonlyMap<SymbolicDim, number>;
  /** Of dropout, where `trainMode` has put some into the loss; default 0. */
  seed?: number;
  backend?: Backend;
}

/** What one run of the loss is given. */
export interface MicroBatch {
  feeds: Feeds;
  /** Actual sizes of the loss's symbolic dimensions. */
  sizes?: ReadonlyMap<SymbolicDim, number> | undefined;
}

export interface StepResult {
  /** Before the step. */
  loss: number;
  /** The L2 norm of all gradients together, before clipping. */
  gradNorm: number;
}

/** Which of the graphs a run is of: a whole step, or the parts of one whose gradients are summed over runs. */
type Part = 'step' | 'first' | 'next' | 'last';

/**
 * One step of training as one graph: the loss, its gradients, clipping by their global norm, the optimiser's writes. Each
 * step is one run of its plan, and so one native call. A run that fails leaves parameters and optimiser as they were; so does
 * one whose loss or gradients are not finite, since nothing is written then.
 */
export class TrainingStep {
  private readonly graphs = new Map<Part, Promise<CompiledGraph>>();
  private readonly kept = new Map<string, State>();
  private sums: readonly State[] | undefined;
  private readonly members: readonly Member[];
  private readonly labels: ReadonlyMap<State, string>;
  private drops: boolean | undefined;

  private constructor(private readonly options: TrainingStepOptions) {
    this.members = membersOf(options.groups);
    this.labels = labelsOf(this.members);
  }

  /** Throws what `gradient` and `compile` throw; ERR_ARGUMENT for a parameter that stands in two groups. */
  static async create(options: TrainingStepOptions): Promise<TrainingStep> {
    checkOptions('TrainingStep', options, [
      'loss',
      'groups',
      'optimizer',
      'clipNorm',
      'average',
      'checkpoints',
      'capacities',
      'seed',
      'backend',
    ]);
    const { clipNorm, average, seed = 0 } = options;
    checkSizes('TrainingStep', { seed }, 0);
    if (clipNorm !== undefined) checkFloat('TrainingStep: clipNorm', clipNorm, 0);
    if (average !== undefined && !(average >= 0 && average < 1)) {
      const expected = 'a number from 0 to below 1';
      throw mismatch('ERR_ARGUMENT', 'TrainingStep: average', expected, describeValue(average));
    }
    const step = new TrainingStep(options);
    await step.graph('step');
    return step;
  }

  /** The graph of a step, and what its optimiser keeps, without making a plan of it: what a step costs. Throws as `create`. */
  static record(options: TrainingStepOptions): {
    traced: Traced;
    states: readonly State[];
  } {
    const step = new TrainingStep(options);
    const parameters = step.members.map(({ state }) => stateTensor(state));
    const { loss, checkpoints } = options;
    const gradients = gradient(loss, parameters, { checkpoints });
    const { outputs, effects } = step.recorded(parameters, gradients);
    return { traced: trace(outputs, effects), states: step.states };
  }

  /** What the optimiser keeps, by the parameter's name and its own; averages among them. */
  get states(): readonly State[] {
    return [...this.kept.values()];
  }

  /**
   * @param step counted from 1, which Adam's corrections of its moments depend on.
   * @param feeds the inputs of the loss. @param sizes actual sizes of its symbolic dimensions.
   * @throws ERR_DIVERGED, naming step and parameter, where loss or gradients are not finite.
   */
  async run(
    at: { learningRate: number; step: number },
    feeds: Feeds = {},
    sizes?: ReadonlyMap<SymbolicDim, number>,
    options?: RunOptions,
  ): Promise<StepResult> {
    return this.runParts(at, [{ feeds, sizes }], options);
  }

  /**
   * One step whose loss is the sum of those of several batches, each of which is a run: gradients are added up between. The
   * update is that of the one large batch, but for the masks of dropout, which each run has its own of.
   */
  async runParts(
    { learningRate, step }: { learningRate: number; step: number },
    given: readonly MicroBatch[],
    options?: RunOptions,
  ): Promise<StepResult> {
    checkFloat('TrainingStep: learningRate', learningRate, 0);
    if (!(Number.isInteger(step) && step > 0)) {
      const expected = 'a whole number from 1';
      throw mismatch('ERR_ARGUMENT', 'TrainingStep: step', expected, describeValue(step));
    }
    if (given.length === 0) {
      throw mismatch('ERR_ARGUMENT', 'TrainingStep: batches', 'at least one', 'none');
    }
    const rates = this.ratesAt(learningRate, step);
    this.drops ??= hasDropout(this.options.loss);
    const batches = this.drops ? this.withMasks(given, step) : given;
    let loss = 0;
    let gradNorm = Number.NaN;
    for (const [i, { feeds, sizes }] of batches.entries()) {
      const part = partOf(i, batches.length);
      const graph = await this.graph(part);
      const isWriting = part === 'step' || part === 'last';
      const all = isWriting ? { ...feeds, ...rates } : feeds;
      const results = await graph.run(all, sizes, options);
      loss += numberIn(results.loss);
      if (isWriting) gradNorm = Math.sqrt(numberIn(results.squares));
    }
    if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return { loss, gradNorm };
    throw await this.diverged(step, loss, batches);
  }

  private withMasks(batches: readonly MicroBatch[], step: number): MicroBatch[] {
    const { seed = 0 } = this.options;
    return batches.map(({ feeds, sizes }, part) => ({
      feeds: { ...feeds, ...dropoutFeeds(seed, step, part) },
      sizes,
    }));
  }

  private ratesAt(learningRate: number, step: number): Feeds {
    const { groups, optimizer } = this.options;
    const feeds: Record<string, Float32Array> = {};
    groups.forEach(({ rate = 1 }, i) => {
      const numbers = optimizer.rates(learningRate * rate, step);
      feeds[`rates of group ${i}`] = Float32Array.from(numbers);
      const factors = optimizer.factors?.(learningRate * rate, step) ?? {};
      for (const [name, values] of Object.entries(factors)) {
        feeds[`${name} of group ${i}`] = Float32Array.from(values);
      }
    });
    return feeds;
  }

  private graph(part: Part): Promise<CompiledGraph> {
    let graph = this.graphs.get(part);
    if (!graph) {
      graph = this.build(part);
      this.graphs.set(part, graph);
    }
    return graph;
  }

  private build(part: Part): Promise<CompiledGraph> {
    const { loss, checkpoints } = this.options;
    const parameters = this.members.map(({ state }) => stateTensor(state));
    const gradients = gradient(loss, parameters, { checkpoints });
    if (part === 'step') return this.updating(parameters, gradients);
    this.sums ??= this.members.map(
      ({ state: { name, shape } }) =>
        new State(`${name} sum of gradients`, shape, 'float32', { kind: 'zeros' }),
    );
    const sums = this.sums.map(stateTensor);
    const added = (i: number): Tensor => add(sums[i] as Tensor, gradients[i] as Tensor);
    if (part === 'last')
      return this.updating(
        parameters,
        gradients.map((_, i) => added(i)),
      );
    const effects = sums.map((sum, i) =>
      assign(sum, part === 'first' ? (gradients[i] as Tensor) : added(i)),
    );
    return this.compiled({ loss }, effects);
  }

  private updating(
    parameters: readonly Tensor[],
    gradients: readonly Tensor[],
  ): Promise<CompiledGraph> {
    const { outputs, effects } = this.recorded(parameters, gradients);
    return this.compiled(outputs, effects);
  }

  /** What follows the gradients; its nodes are told by their path. */
  private recorded(
    parameters: readonly Tensor[],
    gradients: readonly Tensor[],
  ): { outputs: Record<string, Tensor>; effects: Tensor[] } {
    return inLayer(optimizerPath, () => this.update(parameters, gradients));
  }

  private update(
    parameters: readonly Tensor[],
    gradients: readonly Tensor[],
  ): { outputs: Record<string, Tensor>; effects: Tensor[] } {
    const { loss, groups, optimizer, clipNorm, average } = this.options;
    const squares = gradients.map(sumOfSquares).reduce(add);
    const factor = clipNorm === undefined ? undefined : clipFactor(squares, clipNorm);
    // Not finite where either of the two is not: 0 times infinity is no number.
    const guard = add(squares, scale(sumOfSquares(loss), 0));
    const rates = groups.map((_, i) => input(`rates of group ${i}`, [3], 'float32'));
    const factors = groups.map((_, i) =>
      Object.fromEntries(
        Object.entries(optimizer.factors?.(0, 1) ?? {}).map(([name, { length }]) => [
          name,
          input(`${name} of group ${i}`, [length], 'float32'),
        ]),
      ),
    );
    const effects = this.members.flatMap(({ state, group }, i) => {
      const parameter = parameters[i] as Tensor;
      const writes = optimizer.update({
        parameter,
        gradient: gradients[i] as Tensor,
        factor,
        rates: rates[group] as Tensor,
        factors: factors[group] ?? {},
        weightDecay: groups[group]?.weightDecay ?? optimizer.weightDecay,
        state: (name, shape = state.shape) => this.keep(state, name, shape),
        guard,
        write: (target, value) => assign(target, value, guard),
      });
      if (average === undefined) return writes;
      const mean = stateTensor(this.keep(state, 'average', state.shape));
      const after = writes.at(-1) as Tensor;
      const next = moment(mean, after, { keep: average, take: 1 - average });
      return [...writes, assign(mean, next, guard)];
    });
    return { outputs: { loss, squares }, effects };
  }

  /** A state that outlives steps, the same for every graph that asks for it. */
  private keep(parameter: State, name: string, shape: readonly number[]): State {
    const key = `${this.labels.get(parameter) ?? parameter.name} ${name}`;
    let state = this.kept.get(key);
    if (!state) {
      state = new State(key, shape, 'float32', { kind: 'zeros' });
      this.kept.set(key, state);
    }
    return state;
  }

  private compiled(
    outputs: Readonly<Record<string, Tensor>>,
    effects: readonly Tensor[],
  ): Promise<CompiledGraph> {
    const { capacities, backend } = this.options;
    return compile(outputs, capacities, { effects, ...(backend ? { backend } : {}) });
  }

  /** Looks for what was not finite, by running the gradients again without a write. */
  private async diverged(
    step: number,
    loss: number,
    batches: readonly MicroBatch[],
  ): Promise<HeddleError> {
    const where = `step ${step}`;
    const parameters = this.members.map(({ state }) => stateTensor(state));
    const norms = gradient(this.options.loss, parameters).map(sumOfSquares);
    const graph = await this.compiled(Object.fromEntries(norms.map((norm, i) => [i, norm])), []);
    let name: string | undefined;
    try {
      for (const { feeds, sizes } of batches) {
        const results = await graph.run(feeds, sizes);
        const at = norms.findIndex((_, i) => !Number.isFinite(numberIn(results[i])));
        name ??= this.members[at]?.state.name;
      }
    } finally {
      graph.dispose();
    }
    const of = name === undefined ? '' : `; the gradient of ${name} is not finite`;
    const message =
      `${where}: expected a finite loss and gradients, found a loss of ${loss}${of}; ` +
      'nothing was written; a lower learning rate, more warm-up or a lower clipNorm may help';
    return new HeddleError('ERR_DIVERGED', message, { where: name ? `${where}: ${name}` : where });
  }

  /** Gives the plans and the optimiser's states back, not the parameters. */
  dispose(): void {
    for (const graph of this.graphs.values()) {
      graph.then(
        (compiled) => compiled.dispose(),
        () => undefined,
      );
    }
    for (const state of [...this.states, ...(this.sums ?? [])]) state.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function partOf(i: number, count: number): Part {
  if (count === 1) return 'step';
  if (i === 0) return 'first';
  return i === count - 1 ? 'last' : 'next';
}

const numberIn = (result: { data: Float32Array } | undefined): number =>
  result?.data[0] ?? Number.NaN;

interface Member {
  readonly state: State;
  /** Number of its group. */
  readonly group: number;
}

/** Parts of one tensor, such as the queries' and the keys' in a checkpoint that joins them, share its name. */
function labelsOf(members: readonly Member[]): Map<State, string> {
  const seen = new Map<string, number>();
  return new Map(
    members.map(({ state }) => {
      const part = seen.get(state.name) ?? 0;
      seen.set(state.name, part + 1);
      return [state, part === 0 ? state.name : `${state.name} part ${part + 1}`];
    }),
  );
}

function membersOf(groups: readonly ParameterGroup[]): Member[] {
  const members = groups.flatMap(({ parameters }, group) =>
    [...parameters].map((state) => ({ state, group })),
  );
  if (members.length === 0) {
    throw mismatch('ERR_ARGUMENT', 'TrainingStep: groups', 'parameters to train', 'none');
  }
  const seen = new Set<State>();
  for (const { state } of members) {
    if (seen.has(state)) {
      const message = `TrainingStep: groups: expected each parameter once, found ${state.name} again`;
      throw new HeddleError('ERR_ARGUMENT', message, { where: state.name });
    }
    seen.add(state);
  }
  return members;
}
