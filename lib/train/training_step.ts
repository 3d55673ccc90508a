import { HeddleError, mismatch } from '../errors.js';
import type { Backend, RunOptions } from '../graph/backend.js';
import { gradient } from '../graph/gradient.js';
import { checkFloat, checkOptions, describeValue } from '../graph/options.js';
import { type CompiledGraph, compile, type Feeds } from '../graph/run.js';
import type { SymbolicDim } from '../graph/shape.js';
import { State } from '../graph/state.js';
import { input, stateTensor, type Tensor } from '../graph/tensor.js';
import { add, clipFactor, sumOfSquares } from '../ops/index.js';
import type { Optimizer } from './optimizers.js';

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
  /** Values that are kept for the gradient, the others being computed again; see `gradient`. Left out: all are kept. */
  checkpoints?: readonly Tensor[];
  /** The most each symbolic dimension of the loss may be. */
  capacities?: ReadonlyMap<SymbolicDim, number>;
  backend?: Backend;
}

export interface StepResult {
  /** Before the step. */
  loss: number;
  /** The L2 norm of all gradients together, before clipping. */
  gradNorm: number;
}

/**
 * One step of training as one graph: the loss, its gradients, clipping by their global norm, the optimiser's writes. Each
 * step is one run of its plan, and so one native call. A run that fails leaves parameters and optimiser as they were.
 */
export class TrainingStep {
  private constructor(
    private readonly graph: CompiledGraph,
    private readonly optimizer: Optimizer,
    private readonly factors: readonly number[],
    /** What the optimiser keeps, by the parameter's name and its own. */
    readonly states: readonly State[],
  ) {}

  /** Throws what `gradient` and `compile` throw; ERR_ARGUMENT for a parameter that stands in two groups. */
  static async create(options: TrainingStepOptions): Promise<TrainingStep> {
    checkOptions('TrainingStep', options, [
      'loss',
      'groups',
      'optimizer',
      'clipNorm',
      'checkpoints',
      'capacities',
      'backend',
    ]);
    const { loss, groups, optimizer, clipNorm, checkpoints, capacities, backend } = options;
    if (clipNorm !== undefined) checkFloat('TrainingStep: clipNorm', clipNorm, 0);
    const members = membersOf(groups);
    const parameters = members.map(({ state }) => stateTensor(state));
    const gradients = gradient(loss, parameters, { checkpoints });
    const squares = gradients.map(sumOfSquares).reduce(add);
    const factor = clipNorm === undefined ? undefined : clipFactor(squares, clipNorm);
    const rates = groups.map((_, i) => input(`rates of group ${i}`, [3], 'float32'));
    const states: State[] = [];
    const effects = members.flatMap(({ state: parameter, group }, i) =>
      optimizer.update({
        parameter: parameters[i] as Tensor,
        gradient: gradients[i] as Tensor,
        factor,
        rates: rates[group] as Tensor,
        weightDecay: groups[group]?.weightDecay ?? optimizer.weightDecay,
        state(name) {
          const { name: of, shape } = parameter;
          const state = new State(`${of} ${name}`, shape, 'float32', { kind: 'zeros' });
          states.push(state);
          return state;
        },
      }),
    );
    const graph = await compile({ loss, squares }, capacities, {
      effects,
      ...(backend ? { backend } : {}),
    });
    const factors = groups.map(({ rate = 1 }) => rate);
    return new TrainingStep(graph, optimizer, factors, states);
  }

  /**
   * @param step counted from 1, which Adam's corrections of its moments depend on.
   * @param feeds the inputs of the loss. @param sizes actual sizes of its symbolic dimensions.
   */
  async run(
    { learningRate, step }: { learningRate: number; step: number },
    feeds: Feeds = {},
    sizes?: ReadonlyMap<SymbolicDim, number>,
    options?: RunOptions,
  ): Promise<StepResult> {
    checkFloat('TrainingStep: learningRate', learningRate, 0);
    if (!(Number.isInteger(step) && step > 0)) {
      const expected = 'a whole number from 1';
      throw mismatch('ERR_ARGUMENT', 'TrainingStep: step', expected, describeValue(step));
    }
    const rates = Object.fromEntries(
      this.factors.map((factor, i) => {
        const numbers = this.optimizer.rates(learningRate * factor, step);
        return [`rates of group ${i}`, Float32Array.from(numbers)];
      }),
    );
    const { loss, squares } = await this.graph.run({ ...feeds, ...rates }, sizes, options);
    return { loss: numberIn(loss), gradNorm: Math.sqrt(numberIn(squares)) };
  }

  /** Gives the plan and the optimiser's states back, not the parameters. */
  dispose(): void {
    this.graph.dispose();
    for (const state of this.states) state.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

const numberIn = (result: { data: Float32Array } | undefined): number =>
  result?.data[0] ?? Number.NaN;

function membersOf(groups: readonly ParameterGroup[]): { state: State; group: number }[] {
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
