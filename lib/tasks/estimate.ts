import { arenaBytes } from '../analysis/counted_run.js';
import { deepenedModel } from '../analysis/deepened_model.js';
import { type Estimate, type EstimatedCounts, estimateOf } from '../analysis/estimate.js';
import { countModel } from '../analysis/model_counts.js';
import {
  checkParallelism,
  checkWorkload,
  type GivenWorkload,
  type Workload,
} from '../analysis/workload.js';
import { Config } from '../checkpoints/config.js';
import type { JsonFields } from '../checkpoints/json_file.js';
import { isFields } from '../checkpoints/json_file.js';
import { HeddleError, mismatch } from '../errors.js';
import { describeValue } from '../graph/options.js';
import { EstimatedModel, type StoredWeights } from './estimated_model.js';
import { type LayerStack, layerCounts, layerStack } from './layer_stack.js';
import { isTransformer } from './trainable_transformer.js';

export type { Estimate, Workload };

/**
 * What a model costs, from its config.json alone: parameters, FLOPs, memory, least times; docs/estimate.md says how each is
 * defined. The model is built as `load` builds it, from shapes without contents, and its graphs are counted: nothing is read,
 * fetched or run.
 *
 * @param config the fields of a config.json of an architecture that Heddle has, or of Marian.
 * @throws ERR_CONFIG naming the field; ERR_ARGUMENT naming the option; ERR_UNSUPPORTED for other architectures.
 */
export function estimate(config: JsonFields, workload: Workload = {}): Estimate {
  if (!isFields(config)) {
    const expected = 'the fields of a config.json';
    throw mismatch('ERR_ARGUMENT', 'estimate: config', expected, describeValue(config));
  }
  return estimateConfig(new Config(config, 'config.json'), workload);
}

export function estimateConfig(
  config: Config,
  workload: Workload = {},
  stored?: StoredWeights,
): Estimate {
  const given = checkWorkload(workload);
  checkLayers(config);
  try {
    return quickly(config, given, stored) ?? fromAllLayers(config, given, stored);
  } catch (cause) {
    // Sizes that no array can have, such as those of a table of angles.
    if (!(cause instanceof RangeError)) throw cause;
    const message = `${config.file}: expected sizes that a model can have, found some too large (${cause.message})`;
    throw new HeddleError('ERR_CONFIG', message, { where: config.file, cause });
  }
}

/** `fromFewLayers`; undefined as well where that finds fault: the whole model names all of it, such as every tensor that is missing. */
function quickly(...of: Parameters<typeof fromFewLayers>): Estimate | undefined {
  try {
    return fromFewLayers(...of);
  } catch (error) {
    if (error instanceof HeddleError) return undefined;
    throw error;
  }
}

/** The whole model is built, recorded and counted. */
export function fromAllLayers(
  config: Config,
  given: GivenWorkload,
  stored: StoredWeights | undefined,
): Estimate {
  const model = new EstimatedModel(config, given, stored);
  const { counts, arenas } = countModel(model.graphs, given.machine);
  return estimated(model, {
    counts,
    arenas: {
      inference: arenas.inference.map(arenaBytes),
      training: arenaBytes(arenas.training),
    },
  });
}

/**
 * Periods of the smaller of two models that stand for a deeper one, and how many more the other has. Where a layer is computed
 * again from the one before, more of them differ from those in the middle.
 */
const depths = { kept: { fewest: 1, between: 2 }, recomputed: { fewest: 2, between: 3 } } as const;

/**
 * Layers that are alike cost alike: a deep model is counted by two that have few of its layers. Exact, and quicker the deeper it
 * is. @returns undefined for a model that is not so made, or that has few layers.
 */
export function fromFewLayers(
  config: Config,
  given: GivenWorkload,
  stored: StoredWeights | undefined,
): Estimate | undefined {
  const stack = isTransformer(config) ? undefined : layerStack(config);
  if (!stack) return undefined;
  const { layers, period } = stack;
  const { fewest, between } = depths[given.recompute === 'full' ? 'recomputed' : 'kept'];
  const few = fewest * period + (layers % period);
  const many = few + between * period;
  if (few + many >= layers) return undefined;
  const [small, large] = [few, many].map((count) => modelOf(stack, count, given, stored));
  if (!small || !large) return undefined;
  const counted = [small, large].map(({ graphs }) => countModel(graphs, given.machine));
  const deep = deepenedModel(counted[0], counted[1], between, (layers - many) / period);
  return deep && estimated(large, deep);
}

function modelOf(
  stack: LayerStack,
  layers: number,
  given: GivenWorkload,
  stored: StoredWeights | undefined,
): EstimatedModel | undefined {
  const weights = stored?.withLayers(layers, stack);
  return stored && !weights ? undefined : new EstimatedModel(stack.at(layers), given, weights);
}

function estimated(
  { graphs, heads, workload }: EstimatedModel,
  { counts, arenas }: Pick<EstimatedCounts, 'counts' | 'arenas'>,
): Estimate {
  checkParallelism(workload, counts.stack.layers, heads);
  const { architecture, hiddenSize, vocabulary, decoding } = graphs;
  const isWriter = decoding !== undefined;
  return estimateOf({ architecture, hiddenSize, vocabulary, isWriter, counts, arenas }, workload);
}

/** Of a stack; more are refused. */
export const mostLayers = 10_000;

/** Throws ERR_CONFIG for more layers than one waits for: each is built, under whatever name an architecture counts them. */
function checkLayers({ fields, file }: Config): void {
  for (const name of [...layerCounts, 'num_layers', 'encoder_layers', 'decoder_layers']) {
    const found = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (!(typeof found === 'number' && found > mostLayers)) continue;
    throw mismatch('ERR_CONFIG', `${file}: ${name}`, `at most ${mostLayers} layers`, `${found}`);
  }
}
