import { mismatch } from '../errors.js';
import type { Backend } from '../graph/backend.js';
import { type CompiledGraph, compile } from '../graph/run.js';
import { State } from '../graph/state.js';
import { input, stateTensor, type Tensor } from '../graph/tensor.js';
import { assign, moment } from '../ops/index.js';

/**
 * The exponential moving average of parameters, a_t = keep·a_(t−1) + (1 − keep)·p_t from a_0 = 0, divided by 1 − keep^t as
 * Adam's moments are (Kingma & Ba 2015, section 3): an average of what parameters were after each step so far, not of their
 * first values. Models are judged and saved with it in the parameters' place.
 */
export class MovingAverage {
  private readonly aside: readonly State[];
  private exchange: CompiledGraph | undefined;
  private back: CompiledGraph | undefined;

  /** @param states of a `TrainingStep` made with `average: keep`. */
  constructor(
    private readonly parameters: readonly State[],
    private readonly states: readonly State[],
    private readonly keep: number,
    private readonly backend: Backend,
  ) {
    this.aside = parameters.map(
      ({ name, shape }) => new State(`${name} set aside`, shape, 'float32', { kind: 'zeros' }),
    );
  }

  /** Runs a body while the parameters are their averages after so many steps. */
  async during<T>(steps: number, body: () => Promise<T>): Promise<T> {
    if (steps < 1) return body();
    const factor = Float32Array.of(1 / (1 - this.keep ** steps));
    this.exchange ??= await this.compileExchange();
    this.back ??= await this.compile((i) => [
      assign(stateTensor(this.parameters[i]), stateTensor(this.aside[i])),
    ]);
    await this.exchange.run({ factor });
    try {
      return await body();
    } finally {
      await this.back.run({});
    }
  }

  private compileExchange(): Promise<CompiledGraph> {
    const averages = new Map(this.states.map((state) => [state.name, state]));
    const factor = input('factor', [1], 'float32');
    return this.compile((i) => {
      const parameter = stateTensor(this.parameters[i]);
      const average = averages.get(`${parameter.name} average`);
      if (!average) throw mismatch('ERR_ARGUMENT', 'average', `${parameter.name} average`, 'none');
      const mean = stateTensor(average);
      const corrected = moment(mean, mean, { keep: 0, take: 1, factor });
      return [assign(stateTensor(this.aside[i]), parameter), assign(parameter, corrected)];
    });
  }

  private compile(writes: (parameter: number) => Tensor[]): Promise<CompiledGraph> {
    const effects = this.parameters.flatMap((_, i) => writes(i));
    return compile({}, new Map(), { effects, backend: this.backend });
  }

  dispose(): void {
    this.exchange?.dispose();
    this.back?.dispose();
    for (const state of this.aside) state.dispose();
  }
}
