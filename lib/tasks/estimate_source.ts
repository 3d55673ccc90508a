import { dirname, join } from 'node:path';
import { knownMachines, type Machine } from '../analysis/roofline.js';
import { speedRange } from '../analysis/workload.js';
import { openCheckpoint } from '../checkpoints/checkpoint.js';
import { Config } from '../checkpoints/config.js';
import { isFloatingPoint } from '../checkpoints/dtype.js';
import { kindOf } from '../checkpoints/file_reading.js';
import { type JsonFields, readJsonObject } from '../checkpoints/json_file.js';
import { CheckpointSource } from '../checkpoints/parameter_source.js';
import { HeddleError, mismatch } from '../errors.js';
import { describeValue } from '../graph/options.js';
import { elementCount } from '../graph/shape.js';
import type { FileRange } from '../native.js';
import { type Estimate, estimateConfig, type Workload } from './estimate.js';
import type { StoredWeights } from './estimated_model.js';
import { firstLayers } from './layer_tensors.js';
import type { SourceOptions } from './source.js';

/**
 * `estimate` of a config.json, a model's folder or a hub id, of which config.json alone is fetched. Where weights lie beside
 * it, parameters are their tensors, in their dtypes; only headers are read.
 * @throws what `estimate` and `inspect` throw.
 */
export async function estimateSource(
  source: string,
  workload: Workload = {},
  options: SourceOptions = {},
): Promise<Estimate> {
  const kind = await kindOf(source);
  const isFile = kind === 'file';
  if (kind === 'absent' && /^[./]|\.json$/.test(source)) {
    const expected = 'a config.json, a folder or a hub id';
    throw mismatch('ERR_NOT_FOUND', source, expected, 'no such file');
  }
  const file = isFile ? source : await configOf(source, options);
  const config = new Config(await readJsonObject(file), file);
  return estimateConfig(config, workload, isFile ? undefined : await weightsIn(dirname(file)));
}

async function configOf(source: string, options: SourceOptions): Promise<string> {
  // What the hub needs is loaded for its ids alone: an estimate is to be there at once.
  const isFolder = (await kindOf(source)) === 'folder';
  const folder = isFolder
    ? source
    : await (await import('./source.js')).resolveSource(source, { ...options, part: 'config' });
  const { readSentenceTransformers } = await import('../checkpoints/sentence_transformers.js');
  const { transformerFolder } = await readSentenceTransformers(folder);
  return join(transformerFolder, 'config.json');
}

/** The tensors of a folder; undefined where it has none that can be read. */
async function weightsIn(folder: string): Promise<StoredWeights | undefined> {
  const checkpoint = await openCheckpoint(folder).catch((error) => {
    const isAbsent =
      error instanceof HeddleError && ['ERR_NOT_FOUND', 'ERR_UNSUPPORTED'].includes(error.code);
    if (isAbsent) return undefined;
    throw error;
  });
  return checkpoint && storedWeights(checkpoint.tensors, folder);
}

function storedWeights(tensors: ReadonlyMap<string, FileRange>, where: string): StoredWeights {
  return {
    source: (dtype, prefix) => new CheckpointSource(tensors, { prefix, dtype, where }),
    unused(source) {
      if (!(source instanceof CheckpointSource)) return 0;
      source.checkComplete();
      return source.unused.reduce((sum, name) => {
        const range = tensors.get(name);
        return sum + (range && isFloatingPoint(range.dtype) ? elementCount(range.dims) : 0);
      }, 0);
    },
    withLayers(layers, stack) {
      const first = firstLayers(tensors, layers, stack);
      return first && storedWeights(first, where);
    },
  };
}

/** Sizes of a model that has no config.json. */
export interface PlainSizes {
  layers: number;
  hidden: number;
  heads: number;
  vocabulary: number;
  /** Heads of keys and values; given, the model is Llama's, whose feed-forward networks are gated. */
  keyHeads?: number;
  /** Width inside feed-forward networks; default 4 · hidden. */
  intermediate?: number;
  /** Default 2048. */
  positions?: number;
}

/** A language model of plain sizes: a GPT-2, or a Llama where it has key heads. Words and output share a table in the first. */
export function plainConfig(sizes: PlainSizes): JsonFields {
  const { layers, hidden, heads, vocabulary, keyHeads, positions = 2048 } = sizes;
  const { intermediate = 4 * hidden } = sizes;
  if (keyHeads === undefined) {
    return {
      architectures: ['GPT2LMHeadModel'],
      n_layer: layers,
      n_embd: hidden,
      n_head: heads,
      n_inner: intermediate,
      n_positions: positions,
      vocab_size: vocabulary,
    };
  }
  return {
    architectures: ['LlamaForCausalLM'],
    num_hidden_layers: layers,
    hidden_size: hidden,
    num_attention_heads: heads,
    num_key_value_heads: keyHeads,
    intermediate_size: intermediate,
    max_position_embeddings: positions,
    vocab_size: vocabulary,
  };
}

/** A machine by a name that is known, or as `heddle bench machine` wrote it to a file. @throws ERR_NOT_FOUND, ERR_FORMAT, ERR_CONFIG. */
export async function readMachine(source: string): Promise<Machine> {
  const known = Object.hasOwn(knownMachines, source) ? knownMachines[source] : undefined;
  if (known) return known;
  if ((await kindOf(source)) === 'absent') {
    const expected = `${Object.keys(knownMachines).join(', ')} or a file`;
    throw mismatch('ERR_NOT_FOUND', 'estimate: machine', expected, describeValue(source));
  }
  const fields = new Config(await readJsonObject(source), source);
  const speed = (name: string): number => {
    const value = fields.number(name);
    const { least, most } = speedRange;
    if (value >= least && value <= most) return value;
    const expected = `a number from ${least} to ${most}`;
    throw mismatch('ERR_CONFIG', `${source}: ${name}`, expected, `${value}`);
  };
  const name = fields.string('name', { default: '' });
  return { ...(name ? { name } : {}), gflops: speed('gflops'), gbps: speed('gbps') };
}
