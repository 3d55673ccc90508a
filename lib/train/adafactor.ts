import { checkFloat, checkOptions } from '../graph/options.js';
import { elementCount } from '../graph/shape.js';
import { stateTensor, type Tensor, tensor } from '../graph/tensor.js';
import {
  clipFactor,
  columnSums,
  descend,
  matmul,
  moment,
  multiply,
  scale,
  sumOfSquares,
} from '../ops/index.js';
import type { Optimizer, Update } from './optimizers.js';
import { atLeast, inverseRoot, root, times } from './scalars.js';

export interface AdafactorOptions {
  /** Second moments keep 1 − step^decay; default −0.8. */
  decay?: number;
  /** The least root of a second moment, and the least root mean square of a parameter; default 2⁻²³ and 10⁻³. */
  epsilons?: readonly [number, number];
  /** The most that the root mean square of an update may be; default 1. */
  clip?: number;
  /** Decoupled; default 0. */
  weightDecay?: number;
}

/**
 * Adafactor (Shazeer & Stern 2018, algorithms 4 and 5) as torch.optim.Adafactor has it: a matrix's second moments are kept as
 * the means of its rows and columns, and steps are relative to the size of the parameter.
 */
export function adafactor(options: AdafactorOptions = {}): Optimizer {
  checkOptions('adafactor', options, ['decay', 'epsilons', 'clip', 'weightDecay']);
  const { decay = -0.8, epsilons: [least, smallest] = [2 ** -23, 1e-3], clip = 1 } = options;
  const { weightDecay = 0 } = options;
  checkFloat('adafactor: decay', decay);
  for (const epsilon of [least, smallest]) checkFloat('adafactor: epsilons', epsilon, 0);
  checkFloat('adafactor: clip', clip, 0);
  return {
    weightDecay,
    settings: { name: 'adafactor', decay, epsilons: [least, smallest], clip, weightDecay },
    rates: (learningRate, step) => [Math.min(learningRate, 1 / Math.sqrt(step)), 1, 1],
    factors: (learningRate, step) => ({
      learningRate: [learningRate],
      keep: [1 - step ** decay],
      take: [step ** decay],
    }),
    update(given) {
      const { parameter, rates, factor } = given;
      const gradient = factor ? times(given.gradient, factor) : given.gradient;
      const of = { ...given, gradient };
      const isMatrix = parameter.shape.length === 2;
      const { moments, writes } = isMatrix ? factored(of, least) : whole(of);
      const ones = tensor(Float32Array.of(1, 1, 1));
      // 0 − 1·(−g / √v) is what the gradient is divided by the root of its second moment.
      const direction = descend(scale(gradient, 0), scale(gradient, -1), ones, {
        squares: atLeast(moments, least ** 2),
      });
      const count = elementCount(parameter.shape as number[]);
      const clipped = clipFactor(sumOfSquares(direction), clip * Math.sqrt(count));
      const size = atLeast(root(scale(sumOfSquares(parameter), 1 / count)), smallest);
      const decayed =
        of.weightDecay === 0
          ? parameter
          : moment(parameter, parameter, {
              keep: 1,
              take: -of.weightDecay,
              factor: of.factors.learningRate,
            });
      const step = times(direction, multiply(size, clipped));
      return [...writes, of.write(parameter, descend(decayed, step, rates))];
    },
  };
}

interface Moments {
  moments: Tensor;
  writes: Tensor[];
}

/** keep·before + take·now, with the step's factors. */
function followed(of: Update, name: string, shape: readonly number[], now: Tensor): Moments {
  const before = stateTensor(of.state(name, shape));
  const kept = times(before, of.factors.keep as Tensor);
  const moments = moment(kept, now, { keep: 1, take: 1, factor: of.factors.take });
  return { moments, writes: [of.write(before, moments)] };
}

function whole(of: Update): Moments {
  const squares = multiply(of.gradient, of.gradient);
  return followed(of, 'second moment', of.parameter.shape as number[], squares);
}

/** Rows times columns over the mean of rows. */
function factored(of: Update, least: number): Moments {
  const [m = 1, n = 1] = of.parameter.shape as number[];
  const squares = multiply(of.gradient, of.gradient);
  const ones = (count: number, shape: [number, number]): Tensor =>
    tensor(new Float32Array(count).fill(1 / count), shape);
  const rows = followed(of, 'rows of second moment', [m, 1], matmul(squares, ones(n, [n, 1])));
  const columns = followed(
    of,
    'columns of second moment',
    [1, n],
    matmul(ones(m, [1, m]), squares),
  );
  const mean = atLeast(scale(columnSums(rows.moments), 1 / m), least);
  const inverse = inverseRoot(multiply(mean, mean), 0);
  return {
    moments: matmul(times(rows.moments, inverse), columns.moments),
    writes: [...rows.writes, ...columns.writes],
  };
}
