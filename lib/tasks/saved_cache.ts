/**
 * A prompt's keys and values in a file: safetensors with `keys.N` and `values.N` of each layer, float32 [positions, keyHeads·size],
 * and in its metadata the ids and what model they are of.
 */
import { createHash } from 'node:crypto';
import { endianness } from 'node:os';
import { readFully, withFile } from '../checkpoints/file_reading.js';
import { replaceFile } from '../checkpoints/file_writing.js';
import { readSafetensors } from '../checkpoints/safetensors.js';
import { safetensorsBytes } from '../checkpoints/safetensors_writer.js';
import { mismatch } from '../errors.js';
import type { Backend } from '../graph/backend.js';
import type { Parameters } from '../graph/parameters.js';
import type { SavedSequence } from '../models/paged_engine.js';

const format = 'heddle key-value cache 1';

/** @param model what tells it from others: see `fingerprintOf`. @throws ERR_FILE. */
export async function writeCache(file: string, saved: SavedSequence, model: string): Promise<void> {
  const { ids, cached, variant, rows } = saved;
  const tensors = Object.entries(rows).map(([name, data]) => ({
    name,
    shape: [cached, data.length / Math.max(cached, 1)],
    read: () => data,
  }));
  const metadata = { format, model, variant: `${variant}`, ids: JSON.stringify([...ids]) };
  await replaceFile(file, safetensorsBytes(tensors, metadata));
}

/** @throws ERR_NOT_FOUND, ERR_FILE, ERR_FORMAT; ERR_INPUT for a cache of another model. */
export async function readCache(file: string, model: string): Promise<SavedSequence> {
  const { tensors, metadata } = await readSafetensors(file);
  if (metadata.get('format') !== format) {
    throw mismatch('ERR_FORMAT', file, 'a cache that saveCache wrote', 'another kind of file');
  }
  if (metadata.get('model') !== model) {
    throw mismatch('ERR_INPUT', file, 'a cache of this model', 'one of another');
  }
  const rows: Record<string, Float32Array> = {};
  let cached = 0;
  await withFile(file, async (handle) => {
    for (const [name, { offset, bytes, dtype, dims }] of tensors) {
      if (dtype !== 'F32') throw mismatch('ERR_FORMAT', `${file}: ${name}`, 'F32', dtype);
      const data = Buffer.from(new ArrayBuffer(bytes));
      await readFully(handle, data, offset, file);
      if (endianness() === 'BE') data.swap32();
      rows[name] = new Float32Array(data.buffer, data.byteOffset, bytes / 4);
      cached = dims[0] ?? 0;
    }
  });
  return {
    ids: idsIn(metadata.get('ids'), file),
    cached,
    variant: Number(metadata.get('variant')),
    rows,
  };
}

function idsIn(text: string | undefined, file: string): Int32Array {
  try {
    const ids: unknown = JSON.parse(text ?? '');
    if (Array.isArray(ids) && ids.every((id) => Number.isInteger(id) && Math.abs(id) < 2 ** 31)) {
      return Int32Array.from(ids);
    }
  } catch {
    // Not JSON: said below.
  }
  throw mismatch('ERR_FORMAT', `${file}: ids`, 'a list of whole numbers', 'something else');
}

/**
 * Tells a model from others, those too that were trained from the same one: its config, and the vectors among its parameters
 * (norms, or biases), which are small, and move in training.
 */
export async function fingerprintOf(
  config: Readonly<Record<string, unknown>>,
  parameters: Parameters,
  backend: Backend,
): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(config));
  for (const state of parameters) {
    if (state.shape.length !== 1) continue;
    const { buffer, byteOffset, byteLength } = await backend.read(state);
    hash.update(state.name).update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest('hex');
}
