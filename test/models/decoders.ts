/** Decoders of the fixtures, for tests of what runs them. */
import { join } from 'node:path';
import { openCheckpoint } from '../../lib/checkpoints/checkpoint.js';
import { Config } from '../../lib/checkpoints/config.js';
import { readJsonObject } from '../../lib/checkpoints/json_file.js';
import { CheckpointSource } from '../../lib/checkpoints/parameter_source.js';
import type { Backend } from '../../lib/graph/backend.js';
import { Parameters } from '../../lib/graph/parameters.js';
import { Scope } from '../../lib/layers/scope.js';
import type { Decoder } from '../../lib/models/decoder.js';
import { type CacheOptions, PagedEngine } from '../../lib/models/paged_engine.js';
import { architectureOf } from '../../lib/models/registry.js';
import { nativeBackend } from '../native.js';

export const fixture = (name: string): string =>
  new URL(`../fixtures/models/${name}`, import.meta.url).pathname;

/** @param fields of its config that are others. */
export async function decoderOf(name: string, fields: object = {}): Promise<Decoder> {
  const folder = fixture(name);
  const file = join(folder, 'config.json');
  const config = new Config({ ...(await readJsonObject(file)), ...fields }, file);
  const { architecture } = architectureOf(config.architectures, config.modelType);
  const { tensors } = await openCheckpoint(folder);
  const source = new CheckpointSource(tensors, { prefix: architecture.prefix, where: folder });
  return architecture.build(config, new Scope(new Parameters(source))) as Decoder;
}

export async function engineOf(
  name: string,
  cache: CacheOptions = {},
  { fields = {}, backend = nativeBackend() }: { fields?: object; backend?: Backend } = {},
): Promise<PagedEngine> {
  return new PagedEngine(await decoderOf(name, fields), backend, cache);
}

/** Ids that look random, below 60. */
export const ids = (count: number, seed = 1): number[] =>
  Array.from({ length: count }, (_, i) => 3 + ((i * 31 + seed * 17 + ((i * i) % 13)) % 57));
