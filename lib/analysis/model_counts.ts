/** All of a model's graphs, counted: numbers that grow by the same for every layer. */
import type { ProgramCost } from '../graph/cost.js';
import type { ParameterRole } from '../graph/parameters.js';
import { capacityFor } from '../graph/plan_cache.js';
import type { Program, ProgramNode, Traced } from '../graph/program.js';
import { elementCount } from '../graph/shape.js';
import type { State } from '../graph/state.js';
import { type Component, Components, type Term } from './components.js';
import {
  type CountedRun,
  costOfRun,
  parameterBytes,
  placedRun,
  resultBytes,
  tableBytes,
} from './counted_run.js';
import type { DecodingRuns } from './decoding_runs.js';
import type { PlacedRun } from './repeated_run.js';
import { type Machine, type RooflineSums, rooflineSums } from './roofline.js';

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

/** What a model has and does; every number is a sum over its layers and what stands around them. */
export interface ModelCounts {
  readonly parameters: {
    readonly total: number;
    /** In experts that a token does not go through. */
    readonly idle: number;
    readonly unused: number;
    readonly components: Readonly<Partial<Record<Component, number>>>;
  };
  /** FLOPs by term; of the step without the optimiser's. */
  readonly terms: { readonly forward: Terms; readonly step: Terms };
  readonly optimizerFlops: number;
  readonly stepFlops: number;
  readonly forward: RooflineSums;
  /** Zeros where nothing is written. */
  readonly decode: RooflineSums;
  readonly stack: {
    readonly layers: number;
    readonly attentions: number;
    /** Of all attention sublayers. */
    readonly heads: number;
    /** FLOPs of products inside the layers. */
    readonly multiplied: number;
  };
  readonly inference: { readonly weights: number; readonly keyValueCache: number };
  /** Bytes that each of the runs of `arenas.inference` returns. */
  readonly results: readonly number[];
  readonly training: { readonly weights: number; readonly moments: number };
}

/** Where the values of runs lie, and so what their arenas take. */
export interface ModelArenas<Run = PlacedRun> {
  readonly inference: readonly Run[];
  readonly training: Run;
}

export interface CountedModel {
  readonly counts: ModelCounts;
  readonly arenas: ModelArenas;
}

export function countModel(model: ModelGraphs, machine: Machine | undefined): CountedModel {
  const { roles, forward, decoding, training, layers } = model;
  const parts = new Components(model.outputs);
  const forwardCost = costOfRun(forward);
  const stepCost = costOfRun(training.step);
  const { optimizerPath, step, moments } = training;
  const runs = decoding ? [decoding.prefill, decoding.decode] : [forward];
  // The optimiser's states are in the step's graph, and no tables.
  const momentBytes = moments.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
  const terms = termsOf(forward, forwardCost, parts);
  return {
    counts: {
      parameters: parametersOf(model, parts),
      terms: { forward: sumOf(terms), step: sumOf(termsOf(step, stepCost, parts, optimizerPath)) },
      optimizerFlops: stepCost.nodes.reduce(
        (sum, { name, flops }) => (name === optimizerPath ? sum + flops : sum),
        0,
      ),
      stepFlops: stepCost.flops,
      forward: rooflineSums(forwardCost, machine),
      decode: rooflineSums(decoding && costOfRun(decoding.decode), machine),
      stack: { layers, ...stackOf(forward, forwardCost, terms) },
      inference: {
        weights: parameterBytes(roles, runs) + tableBytes(roles, forward),
        keyValueCache: decoding?.cacheBytes ?? model.cacheBytes ?? 0,
      },
      results: runs.map(resultBytes),
      training: {
        weights:
          parameterBytes(training.roles, [step], true) +
          tableBytes(training.roles, step) -
          momentBytes,
        moments: momentBytes / 4,
      },
    },
    arenas: {
      inference: runs.map((run) => placedRun(run, capacityFor)),
      training: placedRun(step),
    },
  };
}

function parametersOf(
  { roles, unused, outputs: { program, states } }: ModelGraphs,
  parts: Components,
): ModelCounts['parameters'] {
  const components: Partial<Record<Component, number>> = {};
  let total = 0;
  for (const state of roles.keys()) {
    const count = elementCount(state.shape);
    const part = parts.of(state);
    components[part] = (components[part] ?? 0) + count;
    total += count;
  }
  let idle = 0;
  for (const { op, operands, attributes } of program.nodes) {
    const source = program.values[operands[2] ?? -1]?.source;
    if (op !== 'linearExperts' || source?.kind !== 'state') continue;
    const { experts, chosen } = attributes as { experts: number; chosen: number };
    idle += elementCount(states[source.state]?.shape ?? []) * (1 - chosen / experts);
  }
  return { total, idle, unused, components };
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

interface TermCost {
  readonly term: Term;
  readonly flops: number;
}

/** Of each node; undefined for those of `leftOut`. */
function termsOf(
  { program, states }: CountedRun,
  { nodes }: ProgramCost,
  parts: Components,
  leftOut?: string,
): (TermCost | undefined)[] {
  return nodes.map(({ flops, name }, i) => {
    if (leftOut !== undefined && name === leftOut) return undefined;
    const node = program.nodes[i] as ProgramNode;
    return { term: parts.termOf(node.op, name, () => statesRead(program, states, node)), flops };
  });
}

function sumOf(costs: readonly (TermCost | undefined)[]): Terms {
  const terms: Partial<Record<Term, number>> = {};
  for (const cost of costs) if (cost) terms[cost.term] = (terms[cost.term] ?? 0) + cost.flops;
  return terms;
}

/** The shape of a stack of layers, read from its graph. */
function stackOf(
  { program }: CountedRun,
  { nodes }: ProgramCost,
  terms: readonly (TermCost | undefined)[],
): Omit<ModelCounts['stack'], 'layers'> {
  let heads = 0;
  let attentions = 0;
  let multiplied = 0;
  program.nodes.forEach(({ op, attributes }, i) => {
    const term = terms[i]?.term;
    if (op === 'attention') {
      attentions++;
      heads += Number(attributes.heads ?? 0);
    }
    const isProduct = op === 'linear' || op === 'linearExperts';
    const isInside = term === 'attention' || term === 'feedForward' || term === 'experts';
    if (isProduct && isInside) multiplied += nodes[i]?.flops ?? 0;
  });
  return { attentions, heads, multiplied };
}
