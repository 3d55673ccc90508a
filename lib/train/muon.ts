import { mismatch } from '../errors.js';
import { checkChoice, checkFloat, checkOptions } from '../graph/options.js';
import { stateTensor, type Tensor } from '../graph/tensor.js';
import { descend, matmul, moment, scale, sumOfSquares } from '../ops/index.js';
import { type AdamOptions, adamW, type Optimizer } from './optimizers.js';
import { inverseRoot, times } from './scalars.js';

export interface MuonOptions {
  /** Default 0.95, with Nesterov's look ahead. */
  momentum?: number;
  /** Decoupled; default 0.1. */
  weightDecay?: number;
  /**
   * What the learning rate is multiplied by for a matrix [m, n]: `rms`, 0.2·√max(m, n), gives updates the size of AdamW's, so
   * that both share a rate (Liu et al. 2025, section 2.2); `spectral`, √max(1, m/n), is Jordan's. Default `rms`.
   */
  adjust?: 'rms' | 'spectral';
  /** A regular expression: names of matrices that AdamW trains, beside all vectors. Default: tables of embeddings, and heads. */
  except?: string;
  /** Of AdamW, for what is no hidden matrix. */
  others?: AdamOptions;
}

/** Of Jordan's quintic, chosen to lift small singular values fast. */
const [a, b, c] = [3.4445, -4.775, 2.0315];
const iterations = 5;

/**
 * Muon (Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"): momentum whose singular values are all
 * brought near 1 by a Newton–Schulz iteration. In float32; torch.optim.Muon iterates in bfloat16.
 */
export function muon(options: MuonOptions = {}): Optimizer {
  checkOptions('muon', options, ['momentum', 'weightDecay', 'adjust', 'except', 'others']);
  const { momentum = 0.95, weightDecay = 0.1, adjust = 'rms' } = options;
  const { except = 'embed|wte|wpe|shared|lm_head|classifier|score' } = options;
  checkFloat('muon: momentum', momentum, 0);
  checkChoice('muon: adjust', adjust, ['rms', 'spectral']);
  const isExcepted = patternOf(except);
  const others = adamW(options.others);
  const ratio = (m: number, n: number): number =>
    adjust === 'rms' ? 0.2 * Math.sqrt(Math.max(m, n)) : Math.sqrt(Math.max(1, m / n));
  return {
    weightDecay,
    settings: { name: 'muon', momentum, weightDecay, adjust, except, others: others.settings },
    rates: (learningRate) => [learningRate, 1, 1],
    factors: (learningRate, step) => ({ 'rates of AdamW': others.rates(learningRate, step) }),
    update(of) {
      const { parameter, gradient, factor, rates } = of;
      const [m = 1, n = 1, ...more] = parameter.shape as number[];
      const isMatrix = parameter.shape.length === 2 && more.length === 0;
      if (!isMatrix || isExcepted.test(parameter.name ?? '')) {
        return others.update({ ...of, rates: of.factors['rates of AdamW'] as Tensor });
      }
      const before = stateTensor(of.state('momentum'));
      const running = moment(before, gradient, { keep: momentum, take: 1 - momentum, factor });
      const ahead = moment(scale(running, momentum), gradient, {
        keep: 1,
        take: 1 - momentum,
        factor,
      });
      const direction = scale(orthogonal(ahead, m, n), ratio(m, n));
      const next = descend(parameter, direction, rates, { weightDecay: of.weightDecay });
      return [of.write(before, running), of.write(parameter, next)];
    },
  };
}

/** A matrix [m, n] with its singular values brought near 1. */
function orthogonal(x: Tensor, m: number, n: number): Tensor {
  let result = times(x, inverseRoot(sumOfSquares(x), 1e-7));
  for (let i = 0; i < iterations; i++) {
    const gram =
      m > n
        ? matmul(result, result, { transposeA: true })
        : matmul(result, result, { transposeB: true });
    const polynomial = moment(gram, matmul(gram, gram), { keep: b, take: c });
    const product = m > n ? matmul(result, polynomial) : matmul(polynomial, result);
    result = moment(result, product, { keep: a, take: 1 });
  }
  return result;
}

function patternOf(except: string): RegExp {
  try {
    return new RegExp(except);
  } catch (cause) {
    const found = (cause as Error).message;
    throw mismatch('ERR_ARGUMENT', 'muon: except', 'a regular expression', found);
  }
}
