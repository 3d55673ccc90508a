import { mismatch } from '../errors.js';
import { checkFloat, checkSizes } from '../graph/options.js';

/** The learning rate of a step, counted from 1. */
export type Schedule = (step: number) => number;

export interface WarmupOptions {
  /** Steps in which the rate grows linearly from 0 to the highest; default 0. */
  warmup?: number;
}

export interface DecayOptions extends WarmupOptions {
  /** The highest rate. */
  peak: number;
  /** Steps in all: from the last on, the rate is the lowest. */
  steps: number;
  /** The lowest rate; default 0. */
  floor?: number;
}

/** `peak` once warm. */
export function constant({ peak, warmup = 0 }: WarmupOptions & { peak: number }): Schedule {
  check('constant', { peak }, warmup);
  return (step) => peak * warmth(step, warmup);
}

/** A straight line from `peak` to `floor`. */
export const linear = (options: DecayOptions): Schedule =>
  decay('linear', options, (progress) => 1 - progress);

/** Half a period of a cosine from `peak` to `floor` (Loshchilov & Hutter 2017, "SGDR", equation 5, without restarts). */
export const cosine = (options: DecayOptions): Schedule =>
  decay('cosine', options, (progress) => (1 + Math.cos(Math.PI * progress)) / 2);

/** factor·width^−½·min(step^−½, step·warmup^−³ᐟ²) (Vaswani et al. 2017, section 5.3). */
export function noam(options: { width: number; warmup: number; factor?: number }): Schedule {
  const { width, warmup, factor = 1 } = options;
  checkSizes('noam', { width, warmup });
  checkFloat('noam: factor', factor, 0);
  return (step) => (factor / Math.sqrt(width)) * Math.min(step ** -0.5, step * warmup ** -1.5);
}

function decay(name: string, options: DecayOptions, shape: (progress: number) => number): Schedule {
  const { peak, steps, warmup = 0, floor = 0 } = options;
  check(name, { peak, floor }, warmup);
  checkSizes(name, { steps });
  if (warmup >= steps) {
    throw mismatch('ERR_ARGUMENT', `${name}: warmup`, `fewer than ${steps} steps`, `${warmup}`);
  }
  return (step) => {
    if (step <= warmup) return peak * warmth(step, warmup);
    const progress = Math.min(1, (step - warmup) / (steps - warmup));
    return floor + (peak - floor) * shape(progress);
  };
}

const warmth = (step: number, warmup: number): number => (step < warmup ? step / warmup : 1);

function check(name: string, rates: Readonly<Record<string, number>>, warmup: number): void {
  checkSizes(name, { warmup }, 0);
  for (const [key, rate] of Object.entries(rates)) checkFloat(`${name}: ${key}`, rate, 0);
}
