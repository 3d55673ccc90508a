import { checkFloat, checkOptions } from '../graph/options.js';
import type { State } from '../graph/state.js';
import { stateTensor, type Tensor } from '../graph/tensor.js';
import { adam as adamStep, descend, moment } from '../ops/index.js';

/** One parameter's part in a step. */
export interface Update {
  /** The parameter as the step finds it. */
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  /** What the gradient is multiplied by to clip it, float32 [1]; undefined: 1. */
  readonly factor: Tensor | undefined;
  /** What `rates` gives, float32 [3], a run-time input. */
  readonly rates: Tensor;
  /** What `factors` gives, float32 [numbers] each, run-time inputs. */
  readonly factors: Readonly<Record<string, Tensor>>;
  readonly weightDecay: number;
  /** A state, by default of the parameter's shape, zeros at first, which the optimiser keeps under this name. */
  state(name: string, shape?: readonly number[]): State;
  /** Float32 [1], not finite where loss or gradients are not: such a step writes nothing. */
  readonly guard: Tensor;
  /** `assign` under this guard. */
  write(target: Tensor, value: Tensor): Tensor;
}

/** How parameters follow their gradients: a few nodes for each, which end in writes of states. */
export interface Optimizer {
  /** Unless the parameter's group says otherwise. */
  readonly weightDecay: number;
  /** Its name and options, defaults among them: what a run that is resumed must agree with. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Learning rate, and the factors of first and second moments, of a step counted from 1. */
  rates(learningRate: number, step: number): [number, number, number];
  /** Further numbers that depend on the step; the same names, and as many numbers, for every step. */
  factors?(learningRate: number, step: number): Record<string, readonly number[]>;
  /** Records the writes, that of the parameter last. */
  update(of: Update): Tensor[];
}

/** Writes a running mean of gradients. @returns the mean afterwards, and the write. */
function running(
  { gradient, factor, state, write }: Update,
  name: string,
  keep: number,
  take: number,
): { mean: Tensor; write: Tensor } {
  const before = stateTensor(state(name));
  const mean = moment(before, gradient, { keep, take, factor });
  return { mean, write: write(before, mean) };
}

export interface SgdOptions {
  /** Of the running sum of gradients that steps follow; default 0. */
  momentum?: number;
  /** Added to the gradient as weightDecay·parameter; default 0. */
  weightDecay?: number;
}

/** Stochastic gradient descent with momentum (Sutskever et al. 2013, equation 1, as torch.optim.SGD writes it). */
export function sgd(options: SgdOptions = {}): Optimizer {
  checkOptions('sgd', options, ['momentum', 'weightDecay']);
  const { momentum = 0, weightDecay = 0 } = options;
  checkFloat('sgd: momentum', momentum, 0);
  return {
    weightDecay,
    settings: { name: 'sgd', momentum, weightDecay },
    rates: (learningRate) => [learningRate, 1, 1],
    update(of) {
      const { parameter, rates } = of;
      const decayed = moment(parameter, of.gradient, {
        keep: of.weightDecay,
        take: 1,
        factor: of.factor,
      });
      if (momentum === 0) return [of.write(parameter, descend(parameter, decayed, rates))];
      const whole = { ...of, gradient: decayed, factor: undefined };
      const { mean, write } = running(whole, 'momentum', momentum, 1);
      return [write, of.write(parameter, descend(parameter, mean, rates))];
    },
  };
}

export interface AdamOptions {
  /** How much of the moments a step keeps; default 0.9 and 0.999. */
  betas?: readonly [number, number];
  /** Added to the root of the second moment; default 10⁻⁸. */
  epsilon?: number;
  weightDecay?: number;
}

function adaptive(name: string, options: AdamOptions, isDecoupled: boolean): Optimizer {
  checkOptions(name, options, ['betas', 'epsilon', 'weightDecay']);
  const { betas: [first, second] = [0.9, 0.999], epsilon = 1e-8 } = options;
  const { weightDecay = isDecoupled ? 0.01 : 0 } = options;
  for (const beta of [first, second]) checkFloat(`${name}: betas`, beta, 0);
  return {
    weightDecay,
    settings: { name, betas: [first, second], epsilon, weightDecay },
    rates: (learningRate, step) => [
      learningRate,
      1 / (1 - first ** step),
      1 / (1 - second ** step),
    ],
    update(of) {
      const { parameter, factor } = of;
      const decay = { keep: of.weightDecay, take: 1, factor };
      const whole =
        isDecoupled || of.weightDecay === 0
          ? of
          : { ...of, gradient: moment(parameter, of.gradient, decay), factor: undefined };
      const { gradient, rates, guard } = whole;
      const [mean, squares] = [
        stateTensor(of.state('first moment')),
        stateTensor(of.state('second moment')),
      ];
      const step = {
        parameter,
        first: mean,
        second: squares,
        gradient,
        rates,
        factor: whole.factor,
        guard,
      };
      const weightDecay = isDecoupled ? of.weightDecay : 0;
      return [adamStep(step, { betas: [first, second], weightDecay, epsilon })];
    },
  };
}

/** Adam (Kingma & Ba 2015, algorithm 1). The weight decay, by default 0, is added to the gradient. */
export const adam = (options: AdamOptions = {}): Optimizer => adaptive('adam', options, false);

/** AdamW (Loshchilov & Hutter 2019, algorithm 2), with torch.optim's default weight decay of 0.01. */
export const adamW = (options: AdamOptions = {}): Optimizer => adaptive('adamW', options, true);

export interface LionOptions {
  /** Of the direction and of the momentum; default 0.9 and 0.99. */
  betas?: readonly [number, number];
  weightDecay?: number;
}

/** Lion (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", program 1). */
export function lion(options: LionOptions = {}): Optimizer {
  checkOptions('lion', options, ['betas', 'weightDecay']);
  const { betas: [first, second] = [0.9, 0.99], weightDecay = 0 } = options;
  for (const beta of [first, second]) checkFloat('lion: betas', beta, 0);
  return {
    weightDecay,
    settings: { name: 'lion', betas: [first, second], weightDecay },
    rates: (learningRate) => [learningRate, 1, 1],
    update(of) {
      const { parameter, gradient, factor, rates } = of;
      const before = stateTensor(of.state('momentum'));
      const direction = moment(before, gradient, { keep: first, take: 1 - first, factor });
      const { write } = running(of, 'momentum', second, 1 - second);
      const next = descend(parameter, direction, rates, {
        sign: true,
        weightDecay: of.weightDecay,
      });
      return [write, of.write(parameter, next)];
    },
  };
}
