/** What a model is to do, and on what: the input of every estimate. */
import { mismatch } from '../errors.js';
import { checkChoice, checkOptions, checkSizes, describeValue } from '../graph/options.js';
import { type WeightDType, weightDTypes } from '../graph/parameters.js';
import { type CacheDType, cacheDTypes } from '../ops/index.js';
import type { Machine } from './roofline.js';

export const recomputations = ['none', 'selective', 'full'] as const;
export type Recomputation = (typeof recomputations)[number];

/** Optimisers by name; `momentum` is gradient descent with momentum. */
export const optimizerNames = [
  'adamW',
  'adam',
  'lion',
  'sgd',
  'momentum',
  'adafactor',
  'muon',
] as const;
export type OptimizerName = (typeof optimizerNames)[number];

export interface Workload {
  /** Sequences of one pass, on each replica; default 1. */
  batch?: number;
  /** Tokens of each sequence, of source and target alike; default 512, or the model's positions where those are fewer. */
  length?: number;
  /**
   * How weights are kept; default: as the checkpoint has them, `torch_dtype` of config.json, float32. In training, a half-precision
   * dtype means mixed precision with a float32 copy of the parameters; int8 and int4 are trained as float32.
   */
  dtype?: WeightDType;
  /** How cached keys and values are kept; default float32, as by `load`. */
  cacheDtype?: CacheDType;
  /** Tokens that the model is trained on in all, at most 10¹⁸; default: the optimum of Hoffmann et al. 2022, by their first approach. */
  tokens?: number;
  /** Default adamW. */
  optimizer?: OptimizerName;
  /** Which activations are computed again for the gradient; default none. */
  recompute?: Recomputation;
  /** The stage of ZeRO (Rajbhandari et al. 2020): what replicas divide among themselves; default 0, nothing. */
  zero?: 0 | 1 | 2 | 3;
  /** Of the whole; default: as many as one replica takes. */
  devices?: number;
  /** Devices that share each layer's matrices: a divisor of the heads, those of keys too; default 1. */
  tensorParallel?: number;
  /** Stages that the layers are divided into, at most as many; default 1. */
  pipelineParallel?: number;
  /**
   * Chunks of layers that each stage has, between which it goes back and forth (the interleaved schedule of Narayanan et al. 2021,
   * section 2.2.2): stages · chunks are at most the layers; default 1.
   */
  interleave?: number;
  /** Whether tensor parallelism divides norms and dropout by position, too; default false. */
  sequenceParallel?: boolean;
  /** One device; left out: no times. */
  machine?: Machine;
  /** Share of the machine's FLOP/s that training reaches, from 10⁻⁶ to 1; default 0.4. */
  utilization?: number;
  /** Of one device for an hour, in any currency, at most 10⁹; needs a machine. Left out: no cost. */
  price?: number;
}

/** A workload with its defaults. What depends on the model is still open. */
export type GivenWorkload = Readonly<
  Required<Omit<Workload, 'length' | 'dtype' | 'tokens' | 'machine' | 'price'>> &
    Pick<Workload, 'length' | 'dtype' | 'tokens' | 'machine' | 'price'>
>;

const names: readonly (keyof Workload)[] = [
  'batch',
  'length',
  'dtype',
  'cacheDtype',
  'tokens',
  'optimizer',
  'recompute',
  'zero',
  'devices',
  'tensorParallel',
  'pipelineParallel',
  'interleave',
  'sequenceParallel',
  'machine',
  'utilization',
  'price',
];

const mostSequences = 2 ** 20;
/** Within these no product of a model's FLOPs, tokens, seconds and price leaves float64. */
const mostTokens = 1e18;
const mostPrice = 1e9;
const leastUtilization = 1e-6;
export const speedRange = { least: 1e-6, most: 1e12 } as const;

/** @throws ERR_ARGUMENT naming the option. */
export function checkWorkload(workload: Workload = {}): GivenWorkload {
  const where = 'estimate';
  checkOptions(where, workload, names);
  const { batch = 1, length, dtype, cacheDtype = 'float32', tokens } = workload;
  const { optimizer = 'adamW', recompute = 'none', zero = 0 } = workload;
  const { tensorParallel = 1, pipelineParallel = 1, sequenceParallel = false } = workload;
  const { interleave = 1 } = workload;
  const { devices = tensorParallel * pipelineParallel, utilization = 0.4 } = workload;
  const { machine, price } = workload;
  const parallel = { tensorParallel, pipelineParallel, interleave, devices };
  checkSizes(where, { batch, ...parallel, length: length ?? 1 });
  if (batch > mostSequences) {
    throw mismatch('ERR_ARGUMENT', `${where}: batch`, `at most ${mostSequences}`, `${batch}`);
  }
  if (dtype !== undefined) checkChoice(`${where}: dtype`, dtype, weightDTypes);
  checkChoice(`${where}: cacheDtype`, cacheDtype, cacheDTypes);
  checkChoice(`${where}: optimizer`, optimizer, optimizerNames);
  checkChoice(`${where}: recompute`, recompute, recomputations);
  if (![0, 1, 2, 3].includes(zero)) {
    throw mismatch('ERR_ARGUMENT', `${where}: zero`, 'a stage from 0 to 3', describeValue(zero));
  }
  if (typeof sequenceParallel !== 'boolean') {
    const found = describeValue(sequenceParallel);
    throw mismatch('ERR_ARGUMENT', `${where}: sequenceParallel`, 'true or false', found);
  }
  if (tokens !== undefined) checkAmount('tokens', tokens, { most: mostTokens });
  if (price !== undefined) checkAmount('price', price, { most: mostPrice });
  if (price !== undefined && machine === undefined) {
    const expected = 'a machine with it (--machine), whose hours have that price';
    throw mismatch('ERR_ARGUMENT', `${where}: price`, expected, 'none');
  }
  checkAmount('utilization', utilization, { least: leastUtilization, most: 1 });
  if (machine !== undefined) checkMachine(machine);
  const replica = tensorParallel * pipelineParallel;
  if (devices % replica !== 0) {
    const expected = `a multiple of the ${replica} that one replica takes (tensorParallel · pipelineParallel)`;
    throw mismatch('ERR_ARGUMENT', `${where}: devices`, expected, `${devices}`);
  }
  return {
    batch,
    cacheDtype,
    optimizer,
    recompute,
    zero,
    devices,
    tensorParallel,
    pipelineParallel,
    interleave,
    sequenceParallel,
    utilization,
    ...(length === undefined ? {} : { length }),
    ...(dtype === undefined ? {} : { dtype }),
    ...(tokens === undefined ? {} : { tokens }),
    ...(machine === undefined ? {} : { machine }),
    ...(price === undefined ? {} : { price }),
  };
}

/**
 * A device of a pipeline has a layer at least, and one of a tensor-parallel group as many heads as the others, of queries and of
 * keys (Megatron-LM: Shoeybi et al. 2019, section 3). Key heads that several devices hold copies of are not accounted for.
 * @param layers of the model. @param heads of queries and of keys in each of its attention sublayers.
 * @throws ERR_ARGUMENT naming the option.
 */
export function checkParallelism(
  { tensorParallel, pipelineParallel, interleave }: GivenWorkload,
  layers: number,
  heads: readonly { readonly heads: number; readonly keyHeads: number }[],
): void {
  if (pipelineParallel > layers) {
    const expected = `at most ${layers}, the layers of the model`;
    throw mismatch('ERR_ARGUMENT', 'estimate: pipelineParallel', expected, `${pipelineParallel}`);
  }
  if (pipelineParallel * interleave > layers || (interleave > 1 && pipelineParallel === 1)) {
    const expected = `1, or chunks of a pipeline (pipelineParallel) of at most ${layers} in all, the layers of the model`;
    throw mismatch('ERR_ARGUMENT', 'estimate: interleave', expected, `${interleave}`);
  }
  for (const of of heads) {
    for (const [name, count] of [
      ['heads of attention', of.heads],
      ['heads of keys', of.keyHeads],
    ] as const) {
      if (count % tensorParallel === 0) continue;
      const expected = `a divisor of ${count}, the ${name}`;
      throw mismatch('ERR_ARGUMENT', 'estimate: tensorParallel', expected, `${tensorParallel}`);
    }
  }
}

/** @throws ERR_ARGUMENT for a machine whose speeds are no numbers of `speedRange`. */
export function checkMachine(machine: Machine): void {
  if (typeof machine !== 'object' || machine === null) {
    const expected = 'an object with gflops and gbps';
    throw mismatch('ERR_ARGUMENT', 'estimate: machine', expected, describeValue(machine));
  }
  checkAmount('machine: gflops', machine.gflops, speedRange);
  checkAmount('machine: gbps', machine.gbps, speedRange);
}

function checkAmount(
  name: string,
  given: unknown,
  { least = 0, most }: { least?: number; most: number },
): void {
  const isNumber = typeof given === 'number' && given > 0;
  if (isNumber && given >= least && given <= most) return;
  const from = least > 0 ? `from ${least} to ${most}` : `above 0, at most ${most}`;
  throw mismatch('ERR_ARGUMENT', `estimate: ${name}`, `a number ${from}`, describeValue(given));
}
