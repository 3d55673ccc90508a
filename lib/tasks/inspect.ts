import { type Checkpoint, openCheckpoint } from '../checkpoints/checkpoint.js';
import { type Config, readConfig } from '../checkpoints/config.js';
import { isFloatingPoint } from '../checkpoints/dtype.js';
import { CheckpointSource } from '../checkpoints/parameter_source.js';
import { readSentenceTransformers } from '../checkpoints/sentence_transformers.js';
import { HeddleError } from '../errors.js';
import { Parameters } from '../graph/parameters.js';
import { Scope } from '../layers/scope.js';
import { architectureOf } from '../models/registry.js';
import { resolveSource, type SourceOptions } from './source.js';

export interface ModelFacts {
  architecture: string;
  /** Whether `load` can open it. */
  supported: boolean;
  /** Elements of the floating-point tensors. Integers, such as the position_ids of older checkpoints, are no parameters. */
  parameters: { total: number };
  /** In the files, headers aside. */
  bytes: number;
  files: number;
  tensors: { name: string; dtype: string; shape: number[]; bytes: number }[];
  /** Names of tensors that `load` makes nothing of, such as the head of another task. */
  unused: string[];
  /** Why `load` would refuse the files, as far as config.json and the names and shapes of the tensors say. */
  problem?: string;
  /** What else is worth knowing, by name. */
  summary: Record<string, string>;
}

/**
 * Reads what a model's files say, without loading any weights. A hub id is fetched first, as by `load`.
 * @param source as `load` takes it. @throws what `load` throws of a hub id; ERR_ARGUMENT, ERR_NOT_FOUND, ERR_FILE, ERR_FORMAT, ERR_CONFIG, ERR_UNSUPPORTED.
 */
export async function inspect(source: string, options: SourceOptions = {}): Promise<ModelFacts> {
  const description = await readSentenceTransformers(await resolveSource(source, options));
  const folder = description.transformerFolder;
  const config = await readConfig(folder);
  const checkpoint = await openCheckpoint(folder);
  const tensors = [...checkpoint.tensors].map(([name, { dtype, dims, bytes }]) => ({
    name,
    dtype,
    shape: dims,
    bytes,
  }));
  const total = tensors
    .filter(({ dtype }) => isFloatingPoint(dtype))
    .reduce((sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1), 0);
  const dtypes = [...new Set(tensors.map(({ dtype }) => dtype))];
  const summary: Record<string, string> = { dtypes: dtypes.join(', ') };
  if (description.isSentenceTransformers) {
    summary.pooling = `${description.pooling.join(' + ')}${description.normalize ? ', normalised' : ''}`;
    if (description.maxLength !== undefined)
      summary['max length'] = `${description.maxLength} tokens`;
    if (description.prompts.size > 0) summary.prompts = [...description.prompts.keys()].join(', ');
  }
  return {
    architecture: config.architectures[0] ?? config.modelType ?? 'unknown',
    ...matchTensors(config, checkpoint),
    parameters: { total },
    bytes: checkpoint.totalBytes,
    files: checkpoint.files.length,
    tensors,
    summary,
  };
}

/** What `load` would make of the tensors, without reading any. */
function matchTensors(
  config: Config,
  checkpoint: Checkpoint,
): Pick<ModelFacts, 'supported' | 'unused' | 'problem'> {
  let supported = false;
  try {
    const { architecture } = architectureOf(config.architectures, config.modelType);
    supported = true;
    const { prefix } = architecture;
    const source = new CheckpointSource(checkpoint.tensors, { prefix, where: config.file });
    architecture.build(config, new Scope(new Parameters(source)));
    source.checkComplete();
    return { supported, unused: source.unused };
  } catch (error) {
    if (!(error instanceof HeddleError)) throw error;
    return { supported, unused: [], ...(supported ? { problem: error.message } : {}) };
  }
}
