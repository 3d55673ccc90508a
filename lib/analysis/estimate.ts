/** What running and training a model costs, put together from its graphs and the published rules. */
import type { ProgramCost } from '../graph/cost.js';
import type { ParameterRole } from '../graph/parameters.js';
import { capacityFor } from '../graph/plan_cache.js';
import type { Program, ProgramNode, Traced } from '../graph/program.js';
import { elementCount } from '../graph/shape.js';
import type { State } from '../graph/state.js';
import { type Component, Components, components, type Term } from './components.js';
import {
  arenaBytes,
  type CountedRun,
  costOfRun,
  parameterBytes,
  resultBytes,
  tableBytes,
} from './counted_run.js';
import type { DecodingRuns } from './decoding_runs.js';
import { type Roofline, roofline } from './roofline.js';
import {
  type Approach,
  type Optimum,
  optimalTokens,
  predictedLoss,
  trainingFlops,
  trainingSeconds,
} from './scaling_laws.js';
import { type ActivationSizes, activationMemory, modelStates } from './training_memory.js';
import { type GivenWorkload, type Recomputation, recomputations } from './workload.js';

/** A model as graphs of shapes: nothing in them has contents. */
export interface ModelGraphs {
  readonly architecture: string;
  readonly kind: 'encoder' | 'decoder' | 'encoder-decoder';
  readonly hiddenSize: number;
  /** 0 where no logits of words are made. */
  readonly vocabulary: number;
  /** Stacked layers, and the most tokens of a sequence. */
  readonly layers: number;
  /** Parameters as inference keeps them. */
  readonly roles: ReadonlyMap<State, ParameterRole>;
  /** Elements of a checkpoint's tensors that the model makes nothing of, such as the head of another task. */
  readonly unused: number;
  /** Everything that has parameters. */
  readonly outputs: Traced;
  /** Whole sequences to the default outputs. */
  readonly forward: CountedRun;
  readonly decoding?: DecodingRuns;
  /** Of keys and values where there are no decoding runs. */
  readonly cacheBytes?: number;
  readonly training: TrainingRuns;
}

export interface TrainingRuns {
  /** Float32. */
  readonly roles: ReadonlyMap<State, ParameterRole>;
  readonly step: CountedRun;
  /** The path of the step's nodes that are no gradients. */
  readonly optimizerPath: string;
  /** What the optimiser keeps. */
  readonly moments: readonly State[];
}

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

export function estimateOf(
  model: ModelGraphs,
  given: GivenWorkload & { readonly length: number },
): Estimate {
  const parts = new Components(model.outputs);
  const parameters = parametersOf(model, parts);
  const forwardCost = costOfRun(model.forward);
  const tokens = given.tokens ?? optimalTokens(parameters.active).tokens;
  const workload = { ...given, tokens };
  const rows = given.batch * given.length;
  return {
    architecture: model.architecture,
    workload,
    parameters,
    flops: flopsOf(model, parts, forwardCost, parameters.active, rows),
    memory: {
      inference: inferenceMemory(model),
      training: trainingMemory(model, parts, forwardCost, parameters.total, workload),
      trainingHere: trainingHere(model.training),
    },
    roofline: rooflines(model, forwardCost, workload),
    training: trainingOf(parameters.active, workload),
  };
}

function parametersOf(
  { roles, unused, outputs: { program, states } }: ModelGraphs,
  parts: Components,
): Estimate['parameters'] {
  const sums = new Map<Component, number>();
  let total = 0;
  for (const state of roles.keys()) {
    const count = elementCount(state.shape);
    const part = parts.of(state);
    sums.set(part, (sums.get(part) ?? 0) + count);
    total += count;
  }
  let idle = 0;
  for (const { op, operands, attributes } of program.nodes) {
    const source = program.values[operands[2] ?? -1]?.source;
    if (op !== 'linearExperts' || source?.kind !== 'state') continue;
    const { experts, chosen } = attributes as { experts: number; chosen: number };
    idle += elementCount(states[source.state]?.shape ?? []) * (1 - chosen / experts);
  }
  const named: (readonly [string, number])[] = components.flatMap((part) => {
    const count = sums.get(part);
    return count === undefined ? [] : [[part, count] as const];
  });
  if (unused > 0) named.push(['unused', unused]);
  return {
    total: total + unused,
    active: Math.round(total - idle),
    components: Object.fromEntries(named) as Estimate['parameters']['components'],
  };
}

function statesRead(
  { values }: Program,
  states: readonly State[],
  { operands }: ProgramNode,
): State[] {
  return operands.flatMap((operand) => {
    const source = values[operand]?.source;
    return source?.kind === 'state' ? (states[source.state] ?? []) : [];
  });
}

function termsOf(
  { program, states }: CountedRun,
  { nodes }: ProgramCost,
  parts: Components,
  leftOut?: string,
): Terms {
  const terms: Partial<Record<Term, number>> = {};
  nodes.forEach(({ flops, name }, i) => {
    if (leftOut !== undefined && name === leftOut) return;
    const node = program.nodes[i] as ProgramNode;
    const term = parts.termOf(node.op, name, () => statesRead(program, states, node));
    terms[term] = (terms[term] ?? 0) + flops;
  });
  return terms;
}

function flopsOf(
  { forward: run, training }: ModelGraphs,
  parts: Components,
  forwardCost: ProgramCost,
  active: number,
  rows: number,
): Estimate['flops'] {
  const forward = forwardCost.flops;
  const forwardTerms = termsOf(run, forwardCost, parts);
  const sixPD = trainingFlops(active, rows);
  const cost = costOfRun(training.step);
  const step = cost.flops;
  const optimizer = cost.nodes.reduce(
    (sum, { name, flops }) => (name === training.optimizerPath ? sum + flops : sum),
    0,
  );
  const backward: Partial<Record<Term, number>> = {};
  const all = termsOf(training.step, cost, parts, training.optimizerPath);
  for (const term of new Set([...Object.keys(all), ...Object.keys(forwardTerms)]) as Set<Term>) {
    backward[term] = (all[term] ?? 0) - (forwardTerms[term] ?? 0);
  }
  return {
    forward,
    backward: step - forward - optimizer,
    optimizer,
    step,
    sixPD,
    terms: { forward: forwardTerms, backward },
  };
}

function inferenceMemory(model: ModelGraphs): Estimate['memory']['inference'] {
  const { roles, forward, decoding } = model;
  const runs = decoding ? [decoding.prefill, decoding.decode] : [forward];
  const weights = parameterBytes(roles, runs) + tableBytes(roles, forward);
  const keyValueCache = decoding?.cacheBytes ?? model.cacheBytes ?? 0;
  const activations = Math.max(
    ...runs.map((run) => arenaBytes(run, capacityFor) + resultBytes(run)),
  );
  return { weights, keyValueCache, activations, total: weights + keyValueCache + activations };
}

function trainingMemory(
  model: ModelGraphs,
  parts: Components,
  forwardCost: ProgramCost,
  parameters: number,
  workload: GivenWorkload & { readonly length: number },
): Estimate['memory']['training'] {
  const { dtype, zero, devices, recompute } = workload;
  const { tensorParallel: tensor, pipelineParallel: pipeline } = workload;
  const { interleave, sequenceParallel } = workload;
  const isMixed = dtype === 'float16' || dtype === 'bfloat16';
  const moments = model.training.moments.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const perDevice = modelStates(
    { parameters, moments, isMixed },
    { tensor, pipeline, replicas: devices / (tensor * pipeline), zero },
  );
  const sizes = activationSizes(model, parts, forwardCost, workload, isMixed ? 2 : 4);
  const parallelism = { tensor, pipeline, interleave, sequence: sequenceParallel };
  const activationsBy = Object.fromEntries(
    recomputations.map((kind) => [kind, Math.ceil(activationMemory(sizes, parallelism, kind))]),
  ) as Record<Recomputation, number>;
  const activations = activationsBy[recompute];
  const { weights, gradients, optimizer } = perDevice;
  const total = weights + gradients + optimizer + activations;
  return { ...perDevice, activations, total, activationsBy };
}

/** The shape of a stack of layers, read from its graph. */
function activationSizes(
  { forward: { program, states }, hiddenSize, vocabulary, layers }: ModelGraphs,
  parts: Components,
  { nodes }: ProgramCost,
  { batch, length }: { batch: number; length: number },
  bytes: number,
): ActivationSizes {
  let heads = 0;
  let attentions = 0;
  let multiplied = 0;
  program.nodes.forEach((node, i) => {
    const term = parts.termOf(node.op, node.name, () => statesRead(program, states, node));
    if (node.op === 'attention') {
      attentions++;
      heads += Number(node.attributes.heads ?? 0);
    }
    const isProduct = node.op === 'linear' || node.op === 'linearExperts';
    const isInside = term === 'attention' || term === 'feedForward' || term === 'experts';
    if (isProduct && isInside) multiplied += nodes[i]?.flops ?? 0;
  });
  return {
    batch,
    length,
    hidden: hiddenSize,
    layers,
    sublayers: attentions + layers,
    heads,
    // A token's products take two FLOPs for each element.
    matrices: multiplied / (2 * batch * length),
    vocabulary,
    bytes,
  };
}

function trainingHere({ roles, step, moments }: TrainingRuns): Estimate['memory']['trainingHere'] {
  const weights = parameterBytes(roles, [step], true) + tableBytes(roles, step);
  const optimizer = moments.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
  const arena = arenaBytes(step);
  // The optimiser's states are in the step's graph, and no tables.
  return {
    weights: weights - optimizer,
    optimizer,
    arena,
    total: weights + arena,
  };
}

function rooflines(
  { decoding }: ModelGraphs,
  forwardCost: ProgramCost,
  { machine, batch, length }: GivenWorkload & { readonly length: number },
): Estimate['roofline'] {
  const pass = roofline(forwardCost, machine);
  const decode = decoding ? roofline(costOfRun(decoding.decode), machine) : null;
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
