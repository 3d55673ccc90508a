import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { replaceFile, writingError } from '../checkpoints/file_writing.js';
import { modelTensors } from '../checkpoints/model_tensors.js';
import { safetensorsBytes } from '../checkpoints/safetensors_writer.js';
import { defaultBackend } from '../graph/default_backend.js';
import type { Trainable } from './trainable.js';

/** Files that belong to a model beside its own two, such as its tokenizer's, by name or path below its folder. */
export type Companions = ReadonlyMap<string, Uint8Array>;

/** Writes config.json, model.safetensors and what belongs to them; each replaces another of its name at once. @throws ERR_FILE. */
export async function saveModel(
  folder: string,
  model: Pick<Trainable, 'config' | 'stored'>,
  companions: Companions = new Map(),
): Promise<void> {
  await saveCompanions(folder, companions);
  // `dtype` is `torch_dtype` of older versions, which must not say something else.
  const { torch_dtype: _, ...fields } = model.config;
  const json = `${JSON.stringify({ ...fields, dtype: 'float32' }, null, 2)}\n`;
  await replaceFile(join(folder, 'config.json'), [Buffer.from(json)]);
  const tensors = modelTensors(model.stored(), defaultBackend());
  await replaceFile(join(folder, 'model.safetensors'), safetensorsBytes(tensors));
}

/** Writes the files that belong to a model, in its folder or folders in that, which are made. @throws ERR_FILE. */
export async function saveCompanions(folder: string, companions: Companions): Promise<void> {
  const folders = new Set([
    folder,
    ...[...companions.keys()].map((name) => dirname(join(folder, name))),
  ]);
  try {
    for (const each of folders) await mkdir(each, { recursive: true });
  } catch (cause) {
    throw writingError(folder, cause);
  }
  for (const [name, bytes] of companions) await replaceFile(join(folder, name), [bytes]);
}
