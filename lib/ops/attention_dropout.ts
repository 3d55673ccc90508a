/** Dropout of the weights of `attention`: which bits it takes, and their definition. */
import { checkOptions, checkSizes } from '../graph/options.js';
import { philox } from '../graph/philox.js';
import type { ReferenceTensor } from '../graph/rules.js';
import { expectTensor, type Tensor } from '../graph/tensor.js';
import { checkRate, threshold } from './dropout.js';
import { expectInt32 } from './operands.js';

export const dropoutOperands = ['dropoutSeed?', 'dropoutStep?'] as const;

/** Dropout of weights, after they were divided by their sum (Vaswani et al. 2017, in the authors' code); as of `dropout`. */
export interface AttentionDropout {
  rate: number;
  site: number;
  seed: Tensor;
  step: Tensor;
}

/** What dropout multiplies the weights of a row by, key by key of its segment. */
export function keptWeights(
  operands: readonly ReferenceTensor[],
  { dropRate, site }: { readonly dropRate: number; readonly site: number },
): (row: number, head: number, key: number) => number {
  if (dropRate === 0) return () => 1;
  const [seed, step] = operands.slice(11, 13);
  const stream = seed.data[0] + step.data[0] * 2 ** 32;
  return (row, head, key) => {
    const block = row * 2 ** 32 + Math.floor(key / 64) * 16 + (key % 16);
    const bits = philox(block, site, stream, 1 + head)[Math.floor((key % 64) / 16)] ?? 0;
    return bits < threshold(dropRate) ? 0 : 1 / (1 - dropRate);
  };
}

/** What kernels are told beyond `lowered`. */
export function lowerDropped(
  lowered: { readonly ints: readonly number[]; readonly floats: readonly number[] },
  { dropRate, site }: { readonly dropRate: number; readonly site: number },
) {
  return {
    ints: [...lowered.ints, site, threshold(dropRate)],
    floats: [...lowered.floats, 1 / (1 - dropRate)],
  };
}

export function checkDropout(dropout: AttentionDropout): void {
  checkOptions('attention: dropout', dropout, ['rate', 'site', 'seed', 'step']);
  const { rate, site, seed, step } = dropout;
  checkRate(rate);
  checkSizes('attention: dropout', { site }, 0);
  expectTensor(seed, 'attention: dropout.seed');
  expectTensor(step, 'attention: dropout.step');
  expectInt32(seed, 'dropout.seed', [1]);
  expectInt32(step, 'dropout.step', [1]);
}
