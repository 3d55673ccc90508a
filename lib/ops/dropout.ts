import { mismatch } from '../errors.js';
import { checkFloat, checkOptions, checkSizes } from '../graph/options.js';
import { philox } from '../graph/philox.js';
import { bytesOf, type OpRule, registerOp } from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import { expectInt32, float32 } from './operands.js';

type DropoutAttributes = { rate: number; site: number };

/** An element stays where its 32 random bits, as a number, are at least this. */
export const threshold = (rate: number): number => Math.round(rate * 2 ** 32);

/** @throws ERR_ARGUMENT where this is no probability below 1. */
export function checkRate(rate: number): void {
  checkFloat('rate', rate, 0);
  if (rate >= 1) throw mismatch('ERR_ARGUMENT', 'rate', 'less than 1', `${rate}`);
}

const rule: OpRule<DropoutAttributes> = registerOp<DropoutAttributes>({
  name: 'dropout',
  operands: ['x', 'seed', 'step'],
  infer([x, seed, step], { rate }) {
    checkRate(rate);
    expectInt32(seed, 'seed', [1]);
    expectInt32(step, 'step', [1]);
    return { shape: float32(x, 'x').shape, dtype: 'float32' };
  },
  reference([x, seed, step], { rate, site }, { data }) {
    const key = seed.data[0] + step.data[0] * 2 ** 32;
    for (let block = 0; block * 4 < data.length; block++) {
      philox(block, site, key).forEach((bits, i) => {
        const at = block * 4 + i;
        if (at < data.length) data[at] = bits < threshold(rate) ? 0 : x.data[at] / (1 - rate);
      });
    }
  },
  lower: ({ rate, site }) => ({
    kernel: 'dropout',
    ints: [site, threshold(rate)],
    floats: [1 / (1 - rate)],
  }),
  inPlace: 0,
  cost: ([x], _, output) => ({
    flops: output.shape.reduce((product, dim) => product * dim, 1),
    bytes: bytesOf(x) + bytesOf(output),
  }),
  gradient: ({ operands: [, seed, step], attributes, gradient }) => [
    record(rule, [gradient, seed, step], attributes),
  ],
});

/**
 * x with each element 0 at probability `rate`, the others divided by 1 − rate (Srivastava et al. 2014, section 10). x: float32
 * of any shape. Random bits are Philox's, keyed by seed and step, int32 [1] each and not negative, run-time inputs; by
 * `site`, a number for each place in a model; and by the element: so they are the same on any number of threads, and made
 * again for the gradient.
 */
export function dropout(
  x: Tensor,
  options: { rate: number; site: number; seed: Tensor; step: Tensor },
): Tensor {
  checkOptions('dropout', options, ['rate', 'site', 'seed', 'step']);
  const { rate, site, seed, step } = options;
  checkSizes('dropout', { site }, 0);
  return record(rule, [x, seed, step], { rate, site });
}
