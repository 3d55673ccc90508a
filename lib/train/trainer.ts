import { HeddleError, mismatch } from '../errors.js';
import type { Backend } from '../graph/backend.js';
import { trace } from '../graph/program.js';
import type { State } from '../graph/state.js';
import type { Tensor } from '../graph/tensor.js';
import { writeState } from '../graph/write_state.js';
import { Batches, type DataPosition, exampleStream, withinBudget } from './batches.js';
import { type Evaluation, Evaluator } from './evaluation.js';
import { MovingAverage } from './moving_average.js';
import type { Objective, RunLimits } from './objective.js';
import type { Optimizer } from './optimizers.js';
import { type GroupRule, groupParameters } from './parameter_groups.js';
import type { Schedule } from './schedules.js';
import { type MicroBatch, TrainingStep } from './training_step.js';

/** What is told of a step. */
export interface StepMetrics {
  readonly step: number;
  readonly loss: number;
  /** The L2 norm of all gradients, before clipping. */
  readonly gradNorm: number;
  readonly learningRate: number;
  /** Tokens of the step's batch. */
  readonly tokens: number;
  readonly seconds: number;
  /** Rounds through the data that are finished. */
  readonly epoch: number;
}

export interface EvaluationMetrics extends Evaluation {
  readonly step: number;
  /** Whether the loss is the lowest so far. */
  readonly isBest: boolean;
}

/** Where a run stands: with the weights and the optimiser's states, all that resuming needs. */
export interface TrainingProgress {
  /** Steps taken. */
  readonly step: number;
  /** The next batch. */
  readonly position: DataPosition;
  /** Of the evaluations so far. */
  readonly best?: { readonly step: number; readonly loss: number } | undefined;
  /** Evaluations since the best. */
  readonly sinceBest: number;
}

/** Keeps what a run has come to. */
export interface CheckpointStore {
  /** @param states the optimiser's. @param evaluation of these weights. */
  save(
    progress: TrainingProgress,
    states: readonly State[],
    evaluation?: Evaluation,
  ): Promise<void>;
}

export interface TrainerOptions<E> {
  readonly objective: Objective<E>;
  /** What evaluations compute; default: the objective. It is another where that one has dropout. */
  readonly judged?: Objective<E> | undefined;
  readonly parameters: readonly State[];
  readonly data: readonly E[];
  readonly evaluationData?: readonly E[] | undefined;
  /** What `test` judges. */
  readonly testData?: readonly E[] | undefined;
  /** Steps from one evaluation to the next; there is one after the last step, too. */
  readonly evaluateEvery?: number | undefined;
  /** The run ends after so many evaluations without a lower loss. */
  readonly patience?: number | undefined;
  readonly steps: number;
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  readonly groups?: readonly GroupRule[] | undefined;
  readonly clipNorm?: number | undefined;
  readonly average?: number | undefined;
  /** The most tokens of a step. */
  readonly batchTokens: number;
  /** The most examples of a step. */
  readonly batchExamples?: number | undefined;
  /** A step's batch is run in parts of at most 1 / `accumulate` of its tokens. */
  readonly accumulate?: number | undefined;
  readonly seed: number;
  readonly store?: CheckpointStore | undefined;
  readonly checkpointEvery?: number | undefined;
  readonly backend: Backend;
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: ((metrics: StepMetrics) => void) | undefined;
  readonly onEvaluation?: ((metrics: EvaluationMetrics) => void) | undefined;
}

/** Takes a model through its data, step after step. */
export class Trainer<E> {
  private readonly batches: Batches;
  private readonly evaluator: Evaluator<E> | undefined;
  private readonly tester: Evaluator<E> | undefined;
  private readonly average: MovingAverage | undefined;
  private progress: TrainingProgress = {
    step: 0,
    position: { epoch: 0, batch: 0 },
    sinceBest: 0,
  };
  private saved = -1;

  private constructor(
    private readonly options: TrainerOptions<E>,
    private readonly sizes: readonly number[],
    private readonly limits: RunLimits,
    private readonly step: TrainingStep,
  ) {
    const { objective, judged = objective, evaluationData, testData } = options;
    const { parameters, average, backend, batchTokens, batchExamples, seed } = options;
    this.batches = new Batches({
      sizes,
      tokens: batchTokens,
      examples: batchExamples,
      seed,
      dropsLast: objective.isJoint ?? false,
    });
    const judging = (data: readonly E[] | undefined, where: string) => {
      if (!data) return undefined;
      const evaluator = new Evaluator(judged, data, limits, backend);
      if (evaluator.count > 0) return evaluator;
      throw mismatch('ERR_INPUT', where, 'enough examples for a batch', 'fewer');
    };
    this.evaluator = judging(evaluationData, 'evaluation data');
    this.tester = judging(testData, 'test data');
    if (average !== undefined) {
      this.average = new MovingAverage(parameters, step.states, average, backend);
    }
  }

  static async create<E>(given: TrainerOptions<E>): Promise<Trainer<E>> {
    const { objective, data, evaluationData = [], testData = [] } = given;
    const { accumulate = 1, batchExamples = 1 } = given;
    const sizes = sizesOf(objective, data, 'data');
    const others = [
      ...sizesOf(objective, evaluationData, 'evaluation data'),
      ...sizesOf(objective, testData, 'test data'),
    ];
    const longest = [...sizes, ...others].reduce((most, size) => Math.max(most, size), 1);
    // Examples that are judged beside each other come in batches of one number, however long they are.
    const batchTokens = objective.isJoint ? batchExamples * longest : given.batchTokens;
    // Some parts of a model, such as an unused pooler, are not learnt by every objective.
    const parameters = reachedFrom(objective.loss, given.parameters);
    const options = { ...given, batchTokens, parameters };
    const tokens = Math.max(longest, Math.ceil(batchTokens / accumulate));
    const limits = { tokens, examples: Math.min(options.batchExamples ?? tokens, tokens) };
    const { groups, optimizer, clipNorm, average, seed, backend } = options;
    const step = await TrainingStep.create({
      loss: objective.loss,
      groups: groupParameters(parameters, groups),
      optimizer,
      capacities: objective.capacities(limits),
      seed,
      backend,
      ...(clipNorm === undefined ? {} : { clipNorm }),
      ...(average === undefined ? {} : { average }),
    });
    try {
      return new Trainer(options, sizes, limits, step);
    } catch (error) {
      step.dispose();
      throw error;
    }
  }

  /** Goes on from a checkpoint, whose weights the parameters have. @throws ERR_FORMAT where a state is missing. */
  async restore(
    progress: TrainingProgress,
    states: ReadonlyMap<string, Float32Array>,
  ): Promise<void> {
    for (const state of this.step.states) {
      const contents = states.get(state.name);
      if (!contents) {
        const where = 'checkpoint: states of the optimiser';
        throw mismatch('ERR_FORMAT', where, state.name, 'none; was it made by another optimiser?');
      }
      await writeState(this.options.backend, state, contents);
    }
    this.progress = progress;
    this.saved = progress.step;
  }

  /** Trains to the last step, or until patience or the signal end it. @returns where it stands then. */
  async run(): Promise<TrainingProgress> {
    const { steps, signal, evaluateEvery, patience = Infinity, checkpointEvery } = this.options;
    try {
      while (this.progress.step < steps && this.progress.sinceBest < patience) {
        await this.takeStep();
        const { step } = this.progress;
        const isLast = step === steps;
        const evaluates = evaluateEvery !== undefined && step % evaluateEvery === 0;
        if (this.evaluator && (isLast || evaluates)) await this.evaluate();
        else if (checkpointEvery !== undefined && step % checkpointEvery === 0) await this.save();
      }
    } catch (error) {
      // What an interrupted run has come to is kept; that of one that failed otherwise is not trusted.
      if (signal?.aborted) await this.save();
      throw error;
    }
    await this.save();
    return this.progress;
  }

  /** Judges the parameters as they are on the test data; undefined where there are none. */
  async test(): Promise<Evaluation | undefined> {
    return this.tester?.run(this.options.signal);
  }

  /** Runs a body while the parameters are what is to be judged or saved: their averages, where there are such. */
  withAverages<T>(body: () => Promise<T>): Promise<T> {
    return this.average?.during(this.progress.step, body) ?? body();
  }

  private async takeStep(): Promise<void> {
    const { objective, data, schedule, seed, signal, onStep } = this.options;
    const { position } = this.progress;
    const step = this.progress.step + 1;
    const { examples: numbers, next } = this.batches.at(position);
    const places = new Map(numbers.map((number, place) => [number, place]));
    const total = numbers.reduce((sum, i) => sum + objective.weight(data[i] as E), 0);
    const parts = objective.isJoint
      ? [numbers]
      : withinBudget(numbers, (i) => this.sizes[i] as number, this.limits);
    const runs: MicroBatch[] = parts.map((part) =>
      objective.fill(
        part.map((i) => data[i] as E),
        total,
        (i) => exampleStream(seed, step, places.get(part[i] as number) ?? 0),
      ),
    );
    const learningRate = schedule(step);
    const begin = performance.now();
    const { loss, gradNorm } = await this.step.runParts({ learningRate, step }, runs, { signal });
    const seconds = (performance.now() - begin) / 1000;
    this.progress = { ...this.progress, step, position: next };
    const tokens = numbers.reduce((sum, i) => sum + (this.sizes[i] as number), 0);
    const { epoch } = next;
    onStep?.({ step, loss, gradNorm, learningRate, tokens, seconds, epoch });
  }

  private async evaluate(): Promise<void> {
    const { evaluator } = this;
    if (!evaluator) return;
    const evaluation = await this.withAverages(() => evaluator.run(this.options.signal));
    const { step, best } = this.progress;
    const isBest = best === undefined || evaluation.loss < best.loss;
    this.progress = isBest
      ? { ...this.progress, best: { step, loss: evaluation.loss }, sinceBest: 0 }
      : { ...this.progress, sinceBest: this.progress.sinceBest + 1 };
    this.options.onEvaluation?.({ step, isBest, ...evaluation });
    await this.save(evaluation);
  }

  private async save(evaluation?: Evaluation): Promise<void> {
    const { store } = this.options;
    const { step } = this.progress;
    if (!store || step === this.saved || step === 0) return;
    await store.save(this.progress, this.step.states, evaluation);
    this.saved = step;
  }

  /** Gives plans and the optimiser's states back, not the parameters. */
  dispose(): void {
    this.step.dispose();
    this.evaluator?.dispose();
    this.tester?.dispose();
    this.average?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The parameters that a loss depends on. */
function reachedFrom(loss: Tensor, parameters: readonly State[]): State[] {
  const states = new Set(trace({ loss }).states);
  return parameters.filter((state) => states.has(state));
}

function sizesOf<E>(objective: Objective<E>, data: readonly E[], where: string): number[] {
  return data.map((example, i) => {
    try {
      return objective.tokens(example);
    } catch (error) {
      if (!(error instanceof HeddleError)) throw error;
      const message = `${where}: example ${i + 1}: ${error.message}`;
      throw new HeddleError(error.code, message, { where, cause: error });
    }
  });
}
