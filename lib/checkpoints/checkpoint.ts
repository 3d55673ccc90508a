/** A checkpoint's tensors, whether in one safetensors file or in many with an index. */
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { HeddleError, mismatch } from '../errors.js';
import type { FileRange } from '../native.js';
import { fileError, kindOf, readSmallFile } from './file_reading.js';
import { JsonScanner } from './json_scanner.js';
import { largestHeader, readSafetensors } from './safetensors.js';

export interface Checkpoint {
  /** Where each tensor's bytes are, by the tensor's name. */
  readonly tensors: Map<string, FileRange>;
  /** Paths of the safetensors files. */
  readonly files: string[];
  /** Of all tensors. */
  readonly totalBytes: number;
  /** What each file was when its header was read; see `checkUnchanged`. */
  readonly versions: ReadonlyMap<string, string>;
}

const singleName = 'model.safetensors';
const indexName = 'model.safetensors.index.json';

/**
 * Opens a folder with `model.safetensors` or with shards and their index, or one `.safetensors` file.
 * Headers are read, tensors are not.
 * @throws ERR_NOT_FOUND, ERR_FILE, ERR_FORMAT; ERR_UNSUPPORTED for a folder of pickled weights only.
 */
export async function openCheckpoint(source: string): Promise<Checkpoint> {
  const kind = await kindOf(source);
  if (kind === 'absent') {
    throw new HeddleError('ERR_NOT_FOUND', `${source}: no such file or folder`, { where: source });
  }
  if (kind === 'file') return openFiles([source]);
  const single = join(source, singleName);
  if ((await kindOf(single)) === 'file') return openFiles([single]);
  const index = join(source, indexName);
  if ((await kindOf(index)) === 'file') return openSharded(source, index);
  throw await nothingToOpen(source);
}

/**
 * To be called when all tensors have been read: throws ERR_FILE where a file is no longer the one whose header said where they
 * are, since its tensors then may come from two files.
 */
export async function checkUnchanged({ versions }: Checkpoint): Promise<void> {
  for (const [file, version] of versions) {
    if ((await versionOf(file)) !== version) {
      throw new HeddleError(
        'ERR_FILE',
        `${file}: changed while it was being loaded; load it again`,
        {
          where: file,
        },
      );
    }
  }
}

async function versionOf(file: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (cause) {
    throw fileError(file, cause);
  }
}

async function openFiles(files: string[]): Promise<Checkpoint> {
  const tensors = new Map<string, FileRange>();
  const versions = new Map<string, string>();
  let totalBytes = 0;
  for (const file of files) {
    versions.set(file, await versionOf(file));
    for (const [name, range] of (await readSafetensors(file)).tensors) {
      const other = tensors.get(name);
      if (other !== undefined) {
        const both = `${basename(other.path)} and ${basename(file)}`;
        throw mismatch('ERR_FORMAT', `${file}: tensor '${name}'`, 'it in one shard', both);
      }
      tensors.set(name, range);
      totalBytes += range.bytes;
    }
  }
  return { tensors, files, totalBytes, versions };
}

async function openSharded(folder: string, index: string): Promise<Checkpoint> {
  const shardOf = await readShardIndex(index);
  const shards = [...new Set(shardOf.values())].sort();
  for (const shard of shards) {
    if ((await kindOf(join(folder, shard))) === 'absent') {
      throw new HeddleError(
        'ERR_NOT_FOUND',
        `${join(folder, shard)}: no such file; ${index} names it`,
        {
          where: index,
        },
      );
    }
  }
  const checkpoint = await openFiles(shards.map((shard) => join(folder, shard)));
  for (const [name, shard] of shardOf) {
    const found = checkpoint.tensors.get(name);
    if (found === undefined || basename(found.path) !== shard) {
      const where = found === undefined ? 'in no shard' : `in ${basename(found.path)}`;
      throw mismatch('ERR_FORMAT', `${index}: tensor '${name}'`, `it in ${shard}`, where);
    }
  }
  return checkpoint;
}

/** Tensor name to the file name of its shard, of a model.safetensors.index.json. @throws ERR_FORMAT, ERR_FILE, ERR_NOT_FOUND. */
export async function readShardIndex(path: string): Promise<Map<string, string>> {
  const scanner = JsonScanner.fromBytes(await readSmallFile(path, largestHeader), path);
  const shardOf = new Map<string, string>();
  let hasMap = false;
  scanner.object((key) => {
    if (key !== 'weight_map') {
      scanner.skipValue();
      return;
    }
    hasMap = true;
    scanner.object((name) => {
      const shard = scanner.string();
      // A plain name: a path would let a checkpoint read files outside its folder.
      if (!/^[^/\\:]+\.safetensors$/.test(shard)) {
        const where = `${path}: shard of '${name}'`;
        throw mismatch(
          'ERR_FORMAT',
          where,
          'the name of a .safetensors file in the folder',
          `'${shard}'`,
        );
      }
      shardOf.set(name, shard);
    });
  });
  scanner.end();
  if (!hasMap) throw mismatch('ERR_FORMAT', path, "'weight_map'", 'none');
  return shardOf;
}

async function nothingToOpen(folder: string): Promise<HeddleError> {
  for (const pickled of ['pytorch_model.bin', 'pytorch_model.bin.index.json']) {
    if ((await kindOf(join(folder, pickled))) === 'file') {
      return new HeddleError(
        'ERR_UNSUPPORTED',
        `${folder}: has pickled weights (${pickled}) only; ${singleName} is needed: ` +
          'in Python, save_pretrained of a loaded model writes it',
        { expected: singleName, found: pickled, where: folder },
      );
    }
  }
  return new HeddleError('ERR_NOT_FOUND', `${folder}: has neither ${singleName} nor ${indexName}`, {
    expected: `${singleName} or ${indexName}`,
    where: folder,
  });
}
