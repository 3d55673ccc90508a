/** What running and training a model costs, put together from its graphs and the published rules. */
import { type Component, components, type Term } from './components.js';
import type { ModelCounts } from './model_counts.js';
import { type Roofline, roofline } from './roofline.js';
import {
  type Approach,
  type Optimum,
  optimalTokens,
  predictedLoss,
  trainingFlops,
  trainingSeconds,
} from './scaling_laws.js';
import { activationMemory, modelStates } from './training_memory.js';
import { type GivenWorkload, type Recomputation, recomputations } from './workload.js';

type Terms = Readonly<Partial<Record<Term, number>>>;

/** The costs of one model and workload; FLOPs, bytes, seconds. Plain data, for `JSON.stringify`. */
export interface Estimate {
  readonly architecture: string;
  /** With everything that was left open. */
  readonly workload: GivenWorkload & { readonly length: number; readonly tokens: number };
  readonly parameters: {
    readonly total: number;
    /** Of those, what a token goes through: all but the experts that are not chosen. */
    readonly active: number;
    /** `unused`: what a checkpoint has and the model makes nothing of. */
    readonly components: Readonly<Partial<Record<Component | 'unused', number>>>;
  };
  readonly flops: {
    /** One pass over batch · length tokens. */
    readonly forward: number;
    /** All that a step does beside `forward` and `optimizer`: gradients, the loss, what is computed again. */
    readonly backward: number;
    readonly optimizer: number;
    /** Their sum. */
    readonly step: number;
    /** 6 · active parameters · batch · length. */
    readonly sixPD: number;
    readonly terms: { readonly forward: Terms; readonly backward: Terms };
  };
  readonly memory: {
    /** By Heddle's engine. */
    readonly inference: {
      readonly weights: number;
      readonly keyValueCache: number;
      readonly activations: number;
      readonly total: number;
    };
    /** On one device, by the published accounting. */
    readonly training: {
      readonly weights: number;
      readonly gradients: number;
      readonly optimizer: number;
      readonly activations: number;
      readonly total: number;
      /** The activations with each kind of recomputation. */
      readonly activationsBy: Readonly<Record<Recomputation, number>>;
    };
    /** By Heddle's engine, in float32. */
    readonly trainingHere: {
      readonly weights: number;
      readonly optimizer: number;
      /** Activations and gradients share one arena. */
      readonly arena: number;
      readonly total: number;
    };
  };
  readonly roofline: {
    readonly forward: Roofline;
    /** One further token of each sequence; null for what does not write. */
    readonly decode: Roofline | null;
    /** At most; null without a machine. */
    readonly tokensPerSecond: { readonly forward: number; readonly decode: number | null } | null;
  };
  readonly training: {
    readonly tokens: number;
    /** 6 · active parameters · tokens. */
    readonly flops: number;
    /** Cross-entropy by approach 3 of Hoffmann et al. 2022, for language models like theirs. */
    readonly predictedLoss: number;
    readonly seconds: number | null;
    readonly deviceHours: number | null;
    readonly cost: number | null;
    /** Hoffmann et al. 2022, by approach. */
    readonly optimal: Readonly<Record<Approach, Optimum>>;
  };
}

/** A model that has been counted. */
export interface EstimatedCounts {
  readonly architecture: string;
  readonly hiddenSize: number;
  /** 0 where no logits of words are made. */
  readonly vocabulary: number;
  readonly isWriter: boolean;
  readonly counts: ModelCounts;
  /** Bytes of the arenas of the runs of inference, and of a step of training. */
  readonly arenas: { readonly inference: readonly number[]; readonly training: number };
}

type CompleteWorkload = GivenWorkload & { readonly length: number };

export function estimateOf(model: EstimatedCounts, given: CompleteWorkload): Estimate {
  const { counts, arenas } = model;
  const parameters = parametersOf(counts.parameters);
  const tokens = given.tokens ?? optimalTokens(parameters.active).tokens;
  const workload = { ...given, tokens };
  const rows = given.batch * given.length;
  const { weights, moments } = counts.training;
  return {
    architecture: model.architecture,
    workload,
    parameters,
    flops: flopsOf(counts, parameters.active, rows),
    memory: {
      inference: inferenceMemory(counts, arenas.inference),
      training: trainingMemory(model, parameters.total, workload),
      trainingHere: {
        weights,
        optimizer: 4 * moments,
        arena: arenas.training,
        total: weights + 4 * moments + arenas.training,
      },
    },
    roofline: rooflines(model, workload),
    training: trainingOf(parameters.active, workload),
  };
}

function parametersOf({
  total,
  idle,
  unused,
  components: counted,
}: ModelCounts['parameters']): Estimate['parameters'] {
  const named: (readonly [string, number])[] = components.flatMap((part) => {
    const count = counted[part];
    return count === undefined ? [] : [[part, count] as const];
  });
  if (unused > 0) named.push(['unused', unused]);
  return {
    total: total + unused,
    active: Math.round(total - idle),
    components: Object.fromEntries(named) as Estimate['parameters']['components'],
  };
}

function flopsOf(
  { forward: { flops: forward }, stepFlops: step, optimizerFlops: optimizer, terms }: ModelCounts,
  active: number,
  rows: number,
): Estimate['flops'] {
  const backward: Partial<Record<Term, number>> = {};
  const names = new Set([...Object.keys(terms.step), ...Object.keys(terms.forward)]) as Set<Term>;
  for (const term of names) backward[term] = (terms.step[term] ?? 0) - (terms.forward[term] ?? 0);
  return {
    forward,
    backward: step - forward - optimizer,
    optimizer,
    step,
    sixPD: trainingFlops(active, rows),
    terms: { forward: terms.forward, backward },
  };
}

function inferenceMemory(
  { inference: { weights, keyValueCache }, results }: ModelCounts,
  arenas: readonly number[],
): Estimate['memory']['inference'] {
  const activations = Math.max(...arenas.map((bytes, i) => bytes + (results[i] ?? 0)));
  return { weights, keyValueCache, activations, total: weights + keyValueCache + activations };
}

function trainingMemory(
  { counts, hiddenSize, vocabulary }: EstimatedCounts,
  parameters: number,
  workload: CompleteWorkload,
): Estimate['memory']['training'] {
  const { dtype, zero, devices, recompute, batch, length } = workload;
  const { tensorParallel: tensor, pipelineParallel: pipeline } = workload;
  const { interleave, sequenceParallel } = workload;
  const isMixed = dtype === 'float16' || dtype === 'bfloat16';
  const perDevice = modelStates(
    { parameters, moments: counts.training.moments, isMixed },
    { tensor, pipeline, replicas: devices / (tensor * pipeline), zero },
  );
  const { layers, attentions, heads, multiplied } = counts.stack;
  const sizes = {
    batch,
    length,
    hidden: hiddenSize,
    layers,
    sublayers: attentions + layers,
    heads,
    // A token's products take two FLOPs for each element.
    matrices: multiplied / (2 * batch * length),
    vocabulary,
    bytes: isMixed ? 2 : 4,
  };
  const parallelism = { tensor, pipeline, interleave, sequence: sequenceParallel };
  const activationsBy = Object.fromEntries(
    recomputations.map((kind) => [kind, Math.ceil(activationMemory(sizes, parallelism, kind))]),
  ) as Record<Recomputation, number>;
  const activations = activationsBy[recompute];
  const { weights, gradients, optimizer } = perDevice;
  const total = weights + gradients + optimizer + activations;
  return { ...perDevice, activations, total, activationsBy };
}

function rooflines(
  { counts, isWriter }: EstimatedCounts,
  { machine, batch, length }: CompleteWorkload,
): Estimate['roofline'] {
  const pass = roofline(counts.forward, machine);
  const decode = isWriter ? roofline(counts.decode, machine) : null;
  // Every run moves some bytes, which take a machine some time.
  const rate = (tokens: number, { seconds }: Roofline): number => tokens / (seconds ?? Infinity);
  return {
    forward: pass,
    decode,
    tokensPerSecond: machine
      ? { forward: rate(batch * length, pass), decode: decode && rate(batch, decode) }
      : null,
  };
}

function trainingOf(
  active: number,
  { tokens, machine, devices, utilization, price }: GivenWorkload & { readonly tokens: number },
): Estimate['training'] {
  const flops = trainingFlops(active, tokens);
  const seconds = machine
    ? trainingSeconds(flops, devices * machine.gflops * 1e9 * utilization)
    : null;
  const deviceHours = seconds === null ? null : (seconds * devices) / 3600;
  return {
    tokens,
    flops,
    predictedLoss: predictedLoss(active, tokens),
    seconds,
    deviceHours,
    cost: deviceHours === null || price === undefined ? null : deviceHours * price,
    optimal: {
      1: optimalTokens(active, 1),
      2: optimalTokens(active, 2),
      3: optimalTokens(active, 3),
    },
  };
}
