import { mismatch } from '../errors.js';
import { checkChoice, checkFloat, checkOptions } from '../graph/options.js';
import { philox } from '../graph/philox.js';
import { inRecordedOrder } from '../graph/program.js';
import { input, type Tensor } from '../graph/tensor.js';
import { type AttentionOptions, type Compute, computes, dropout } from '../ops/index.js';
import { textHash } from './random_source.js';

/** Probabilities, from 0 to below 1, that elements become 0 while a model is trained. */
export interface DropoutRates {
  /** Of what the first layer reads. */
  embedding: number;
  /** Of what each part of a layer gives, before it is added to what the part read. */
  residual: number;
  /** Inside feed-forward networks, of what the second projection reads. */
  activation: number;
  /** Of the weights of attention. */
  attention: number;
  /** Of what the last projection of a head reads that classifies texts or tokens. */
  classifier: number;
}

/** One rate for all places, or rates of some; others are 0. */
export type Dropout = number | Partial<DropoutRates>;

const places = ['embedding', 'residual', 'activation', 'attention', 'classifier'] as const;

/** @throws ERR_ARGUMENT for what is no rate, naming its place. */
export function dropoutRates(given: Dropout, where: string): DropoutRates {
  const isOne = typeof given === 'number';
  if (!isOne) checkOptions(where, given, places);
  const rateOf = (place: (typeof places)[number]): number => {
    const rate = isOne ? given : (given[place] ?? 0);
    const at = isOne ? where : `${where}.${place}`;
    checkFloat(at, rate, 0);
    if (rate >= 1) throw mismatch('ERR_ARGUMENT', at, 'less than 1', `${rate}`);
    return rate;
  };
  return {
    embedding: rateOf('embedding'),
    residual: rateOf('residual'),
    activation: rateOf('activation'),
    attention: rateOf('attention'),
    classifier: rateOf('classifier'),
  };
}

interface Mode {
  /** In place of the layers' own. */
  readonly rates: DropoutRates | undefined;
  readonly dtype: Compute;
  readonly sites: Set<number>;
  /** What `droppedOnce` has made of each tensor, by the name of the place. */
  readonly once: WeakMap<Tensor, Map<string, Tensor>>;
}

const modes: Mode[] = [];

/** Run-time inputs, int32 [1], that all dropout is keyed by; `dropoutFeeds` fills them. */
const seed = input('dropout seed', [1], 'int32');
const step = input('dropout step', [1], 'int32');

/** Whether a graph has dropout in it. */
export const hasDropout = (output: Tensor): boolean => inRecordedOrder([output]).includes(seed);

/**
 * What a run of a graph with dropout is fed beside the rest. @param seed, @param step from 0 to 2^31 − 1.
 * @param part of the step, where its batch is run in several.
 */
export const dropoutFeeds = (seed: number, step: number, part = 0): Record<string, Int32Array> => ({
  'dropout seed': Int32Array.of(philox(part, 0, seed)[0] >>> 1),
  'dropout step': Int32Array.of(step),
});

/**
 * Records what `body` makes as it is to be trained: with dropout, which is left out everywhere else. Masks are keyed by a seed
 * and the step, which `TrainingStep` feeds, by the layer and how often it was called, and by the element. So a loss belongs
 * into one call as a whole.
 * @param options.dropout in place of the rates of the layers. @param options.dtype what `Linear` layers multiply, forward and
 * backward: with `bfloat16`, both factors of every product are rounded to it and sums are float32, as is all else (Kalamkar et al.
 * 2019, "A Study of BFLOAT16 for Deep Learning Training").
 */
export function trainMode<T>(
  body: () => T,
  options: { dropout?: Dropout | undefined; dtype?: Compute | undefined } = {},
): T {
  checkOptions('trainMode', options, ['dropout', 'dtype']);
  const { dropout: given, dtype = 'float32' } = options;
  checkChoice('trainMode: dtype', dtype, computes);
  const rates = given === undefined ? undefined : dropoutRates(given, 'trainMode: dropout');
  modes.push({ rates, dtype, sites: new Set(), once: new WeakMap() });
  try {
    return body();
  } finally {
    modes.pop();
  }
}

/** How a `Linear` layer with a float32 weight multiplies, where the model is trained in half precision. */
export const trainedIn = (): Compute => modes.at(-1)?.dtype ?? 'float32';

/** x as it goes on from a place in a model: itself, but in `trainMode` with dropout. @param own rates of the layer. */
export function dropped(x: Tensor, place: keyof DropoutRates, own?: DropoutRates): Tensor {
  const options = dropoutAt(x, place, own);
  return options ? dropout(x, options) : x;
}

/**
 * x as a place reads it whose rate is its own, and no other rate stands for: itself, but in `trainMode`. Parts of one projection have one
 * name, and read the same.
 */
export function droppedOnce(x: Tensor, name: string, rate: number): Tensor {
  const mode = modes.at(-1);
  if (!mode || rate === 0) return x;
  const made = mode.once.get(x) ?? new Map<string, Tensor>();
  mode.once.set(x, made);
  const known = made.get(name);
  if (known) return known;
  const result = dropout(x, { rate, site: newSite(name, mode.sites), seed, step });
  made.set(name, result);
  return result;
}

/** Dropout of the weights of attention that these queries have, as the op takes it; none but in `trainMode`. */
export const attentionDropout = (
  q: Tensor,
  own?: DropoutRates,
): Pick<AttentionOptions, 'dropout'> => {
  const options = dropoutAt(q, 'attention', own);
  return options ? { dropout: options } : {};
};

function dropoutAt({ path }: Tensor, place: keyof DropoutRates, own?: DropoutRates) {
  const mode = modes.at(-1);
  const rate = (mode?.rates ?? own)?.[place] ?? 0;
  if (!mode || rate === 0) return undefined;
  return { rate, site: newSite(`${place} ${path ?? ''}`, mode.sites), seed, step };
}

/** A number that depends on the name, and on how many sites of that name there are already. */
function newSite(name: string, sites: Set<number>): number {
  for (let call = 0; ; call++) {
    const site = textHash(`${name} ${call}`) >>> 1;
    if (sites.has(site)) continue;
    sites.add(site);
    return site;
  }
}
