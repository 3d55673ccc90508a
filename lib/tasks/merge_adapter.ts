import { cp, mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Checkpoint, checkUnchanged, openCheckpoint } from '../checkpoints/checkpoint.js';
import { readConfig } from '../checkpoints/config.js';
import { readRange, toFloat64 } from '../checkpoints/dtype.js';
import { replaceFile, writingError } from '../checkpoints/file_writing.js';
import { CheckpointSource } from '../checkpoints/parameter_source.js';
import { safetensorsBytes, type WrittenTensor } from '../checkpoints/safetensors_writer.js';
import { mismatch } from '../errors.js';
import { checkOptions } from '../graph/options.js';
import { Parameters } from '../graph/parameters.js';
import type { State } from '../graph/state.js';
import { Scope } from '../layers/scope.js';
import { architectureOf } from '../models/registry.js';
import type { FileRange } from '../native.js';
import {
  AdaptedSource,
  adaptedConfig,
  type OpenAdapter,
  openAdapter,
  withReplaced,
} from './adapter.js';

/** Files beside the weights that are copied; other forms of the weights would be those of the base. */
const weightFile = /\.(safetensors|bin|gguf|onnx|h5|msgpack|pt|pth|ot)$|\.index\.json$/;

/**
 * Writes a model whose weights hold the changes of adapters, W + s·B·A, in float32: it needs no adapter any more, and Python opens it.
 * @param source the base's folder. @param adapter an adapter's folder, or several, whose changes are added up.
 * @throws what `load` throws; ERR_FILE where the folder cannot be written.
 */
export async function mergeAdapter(
  source: string,
  adapter: string | readonly string[],
  folder: string,
  options: {
    signal?: AbortSignal;
    onProgress?: (progress: { loaded: number; total: number }) => void;
  } = {},
): Promise<void> {
  checkOptions('mergeAdapter', options, ['signal', 'onProgress']);
  if (resolve(source) === resolve(folder)) {
    throw mismatch(
      'ERR_ARGUMENT',
      'mergeAdapter: folder',
      "another than the base's",
      `'${folder}'`,
    );
  }
  const config = await adaptedConfig(await readConfig(source), [adapter].flat());
  const checkpoint = await openCheckpoint(source);
  const { architecture } = architectureOf(config.architectures, config.modelType);
  const { prefix } = architecture;
  const adapters = await Promise.all([adapter].flat().map((each) => openAdapter(each, prefix)));
  const tensors = withReplaced(checkpoint.tensors, adapters, prefix);
  const weights = new CheckpointSource(tensors, { prefix, where: source });
  // Built for what it says of each tensor: which layer has it, and whether it lies transposed.
  const parameters = new Parameters(new AdaptedSource(weights, adapters));
  architecture.build(config, new Scope(parameters, '', 'float32', adapters));
  weights.checkComplete();
  for (const each of adapters) each.checkComplete(weights.unused);
  const states = [...parameters];
  const { signal, onProgress } = options;
  let loaded = 0;
  const written = Array.from(tensors, ([name, range]): WrittenTensor => {
    const changes = changesOf(range, states, adapters);
    return {
      name,
      shape: range.dims,
      async read() {
        signal?.throwIfAborted();
        const values = toFloat64(await readRange(range), range.dtype);
        for (const change of changes) await add(values, range, change);
        loaded += range.bytes;
        onProgress?.({ loaded, total: checkpoint.totalBytes });
        return Float32Array.from(values);
      },
    };
  });
  await write(source, folder, written, config.fields, checkpoint);
}

interface Change {
  a: FileRange;
  b: FileRange;
  factor: number;
  transposed: boolean;
}

/** What adapters add to a tensor: the layer's matrices are states beside that of its weight. */
function changesOf(
  range: FileRange,
  states: readonly State[],
  adapters: readonly OpenAdapter[],
): Change[] {
  const rangeOf = ({ source }: State): FileRange | undefined =>
    source.kind === 'file' ? source.range : undefined;
  // Parts of one tensor lie inside it.
  const weight = states.find((state) => {
    const own = state.name.endsWith('.weight') ? rangeOf(state) : undefined;
    const begins = own && own.path === range.path && own.offset >= range.offset;
    return begins && own.offset + own.bytes <= range.offset + range.bytes;
  });
  if (!weight) return [];
  const path = weight.name.slice(0, -'.weight'.length);
  const transposed = weight.source.kind === 'file' && weight.source.transposed === true;
  return adapters.flatMap((adapter) => {
    const matrices = adapter.matricesOf(path);
    return matrices ? [{ ...matrices, transposed }] : [];
  });
}

/** W += s·B·A. @param values of a matrix [outputs, inputs], or where it is transposed [inputs, outputs]. */
async function add(values: Float64Array, range: FileRange, change: Change): Promise<void> {
  const [a, b] = await Promise.all(
    [change.a, change.b].map(async (each) => toFloat64(await readRange(each), each.dtype)),
  );
  const [rank = 0, inputs = 0] = change.a.dims;
  const [outputs = 0] = change.b.dims;
  const shape = change.transposed ? [inputs, outputs] : [outputs, inputs];
  if (String(shape) !== String(range.dims)) {
    throw mismatch(
      'ERR_SHAPE',
      `${range.path}`,
      `[${shape.join(', ')}]`,
      `[${range.dims.join(', ')}]`,
    );
  }
  const row = new Float64Array(inputs);
  for (let output = 0; output < outputs; output++) {
    row.fill(0);
    for (let k = 0; k < rank; k++) {
      const factor = change.factor * (b?.[output * rank + k] ?? 0);
      for (let i = 0; i < inputs; i++) row[i] += factor * (a?.[k * inputs + i] ?? 0);
    }
    for (let i = 0; i < inputs; i++) {
      values[change.transposed ? i * outputs + output : output * inputs + i] += row[i] as number;
    }
  }
}

async function write(
  source: string,
  folder: string,
  tensors: readonly WrittenTensor[],
  fields: Readonly<Record<string, unknown>>,
  checkpoint: Checkpoint,
): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    for (const entry of await readdir(source, { withFileTypes: true })) {
      if (!entry.isFile() && !entry.isDirectory() && !entry.isSymbolicLink()) continue;
      await cp(join(source, entry.name), join(folder, entry.name), {
        recursive: true,
        dereference: true,
        filter: (path) => !weightFile.test(path),
      });
    }
  } catch (cause) {
    throw writingError(folder, cause);
  }
  await replaceFile(join(folder, 'model.safetensors'), safetensorsBytes(tensors));
  await checkUnchanged(checkpoint);
  const { torch_dtype: _, ...others } = fields;
  const config = Buffer.from(`${JSON.stringify({ ...others, dtype: 'float32' }, null, 2)}\n`);
  await replaceFile(join(folder, 'config.json'), [config]);
}
