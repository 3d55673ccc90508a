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
  /** Tokens that the model is trained on in all; default: the optimum of Hoffmann et al. 2022, by their first approach. */
  tokens?: number;
  /** Default adamW. */
  optimizer?: OptimizerName;
  /** Which activations are computed again for the gradient; default none. */
  recompute?: Recomputation;
  /** The stage of ZeRO (Rajbhandari et al. 2020): what replicas divide among themselves; default 0, nothing. */
  zero?: 0 | 1 | 2 | 3;
  /** Of the whole; default: as many as one replica takes. */
  devices?: number;
  /** Devices that share each layer's matrices; default 1. */
  tensorParallel?: number;
  /** Stages that the layers are divided into; default 1. */
  pipelineParallel?: number;
  /** Whether tensor parallelism divides norms and dropout by position, too; default false. */
  sequenceParallel?: boolean;
  /** One device; left out: no times. */
  machine?: Machine;
  /** Share of the machine's FLOP/s that training reaches, above 0 and at most 1; default 0.4. */
  utilization?: number;
  /** Of one device for an hour, in any currency; left out: no cost. */
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
  'sequenceParallel',
  'machine',
  'utilization',
  'price',
];

const mostSequences = 2 ** 20;

/** @throws ERR_ARGUMENT naming the option. */
export function checkWorkload(workload: Workload = {}): GivenWorkload {
  const where = 'estimate';
  checkOptions(where, workload, names);
  const { batch = 1, length, dtype, cacheDtype = 'float32', tokens } = workload;
  const { optimizer = 'adamW', recompute = 'none', zero = 0 } = workload;
  const { tensorParallel = 1, pipelineParallel = 1, sequenceParallel = false } = workload;
  const { devices = tensorParallel * pipelineParallel, utilization = 0.4 } = workload;
  const { machine, price } = workload;
  checkSizes(where, { batch, tensorParallel, pipelineParallel, devices, length: length ?? 1 });
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
  if (tokens !== undefined) checkAmount('tokens', tokens);
  if (price !== undefined) checkAmount('price', price);
  checkAmount('utilization', utilization, 1);
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
    sequenceParallel,
    utilization,
    ...(length === undefined ? {} : { length }),
    ...(dtype === undefined ? {} : { dtype }),
    ...(tokens === undefined ? {} : { tokens }),
    ...(machine === undefined ? {} : { machine }),
    ...(price === undefined ? {} : { price }),
  };
}

/** @throws ERR_ARGUMENT for a machine whose speeds are no positive numbers. */
export function checkMachine(machine: Machine): void {
  if (typeof machine !== 'object' || machine === null) {
    const expected = 'an object with gflops and gbps';
    throw mismatch('ERR_ARGUMENT', 'estimate: machine', expected, describeValue(machine));
  }
  checkAmount('machine: gflops', machine.gflops);
  checkAmount('machine: gbps', machine.gbps);
}

function checkAmount(name: string, given: unknown, most = Number.MAX_VALUE): void {
  if (typeof given === 'number' && given > 0 && given <= most) return;
  const expected = most === 1 ? 'a number above 0, at most 1' : 'a finite number above 0';
  throw mismatch('ERR_ARGUMENT', `estimate: ${name}`, expected, describeValue(given));
}
