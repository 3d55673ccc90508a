/** LoRA adapters as Python's peft stores them: adapter_config.json and adapter_model.safetensors. */
import { basename, join } from 'node:path';
import { HeddleError, mismatch } from '../errors.js';
import type { FileRange } from '../native.js';
import { kindOf } from './file_reading.js';
import { describeJson, isFields, type JsonFields, ownField, readJsonObject } from './json_file.js';
import { readSafetensors } from './safetensors.js';

export const adapterConfigName = 'adapter_config.json';
export const adapterWeightsName = 'adapter_model.safetensors';

/** What peft puts before the names of modules. */
export const adapterPrefix = 'base_model.model.';

export interface AdapterFiles {
  readonly folder: string;
  readonly fields: JsonFields;
  readonly alpha: number;
  /** Modules whose alpha is another, by the end of their names. */
  readonly alphaOf: ReadonlyMap<string, number>;
  /** Whether changes are scaled by alpha/√r and not alpha/r (Kalajdzievski 2023). */
  readonly rankStabilized: boolean;
  /** Of what the changes read, while they are trained: from 0 to below 1. */
  readonly dropout: number;
  /** By the names that the model has for them, such as `h.0.attn.c_attn.lora_A.weight`. */
  readonly tensors: ReadonlyMap<string, FileRange>;
}

/** Options that change what is computed, and the values with which they do not. */
const plainValues: readonly (readonly [name: string, values: readonly unknown[]])[] = [
  ['peft_type', ['LORA']],
  ['bias', [undefined, 'none']],
  ['use_dora', [undefined, false]],
  ['use_qalora', [undefined, false]],
  ['lora_bias', [undefined, false]],
  ['megatron_config', [undefined]],
  ['layer_replication', [undefined]],
  ['alora_invocation_tokens', [undefined]],
  ['arrow_config', [undefined]],
  // Others start from a base that they have changed, which is not the one beside the adapter.
  ['init_lora_weights', [undefined, true, false, 'gaussian', 'eva', 'orthogonal']],
];

/**
 * Reads an adapter's folder; of its tensors only where they are.
 * @throws ERR_NOT_FOUND, ERR_FILE, ERR_FORMAT; ERR_CONFIG; ERR_UNSUPPORTED for what is no plain LoRA.
 */
export async function readAdapter(folder: string): Promise<AdapterFiles> {
  const file = join(folder, adapterConfigName);
  const weights = join(folder, adapterWeightsName);
  if ((await kindOf(file)) !== 'file') {
    const message = `${folder}: has no ${adapterConfigName}; an adapter's folder, as peft writes it, is needed`;
    throw new HeddleError('ERR_NOT_FOUND', message, { where: folder });
  }
  const fields = await readJsonObject(file);
  for (const [name, values] of plainValues) {
    const given = ownField(fields, name);
    if (values.includes(given)) continue;
    const expected = values.map((value) => describeJson(value)).join(' or ');
    throw mismatch('ERR_UNSUPPORTED', `${file}: ${name}`, expected, describeJson(given));
  }
  const alpha = positive(ownField(fields, 'lora_alpha') ?? 8, `${file}: lora_alpha`);
  const patterns = ownField(fields, 'alpha_pattern') ?? {};
  if (!isFields(patterns)) {
    throw mismatch('ERR_CONFIG', `${file}: alpha_pattern`, 'an object', describeJson(patterns));
  }
  const alphaOf = new Map(
    Object.entries(patterns).map(([name, value]) => {
      const where = `${file}: alpha_pattern`;
      // Regular expressions of a file are not run.
      if (!/^[\w.]+$/.test(name))
        throw mismatch('ERR_UNSUPPORTED', where, 'names of modules', `'${name}'`);
      return [name, positive(value, `${where}: ${name}`)];
    }),
  );
  if ((await kindOf(weights)) !== 'file') {
    const message = `${folder}: has no ${adapterWeightsName}; peft's save_pretrained writes it`;
    throw new HeddleError('ERR_NOT_FOUND', message, { where: folder });
  }
  const tensors = new Map<string, FileRange>();
  for (const [name, range] of (await readSafetensors(weights)).tensors) {
    if (!name.startsWith(adapterPrefix)) {
      const expected = `names that begin with ${adapterPrefix}`;
      throw mismatch('ERR_FORMAT', `${weights}: tensor`, expected, `'${name}'`);
    }
    tensors.set(name.slice(adapterPrefix.length), range);
  }
  const rankStabilized = ownField(fields, 'use_rslora') === true;
  const dropout = ownField(fields, 'lora_dropout') ?? 0;
  if (!(typeof dropout === 'number' && dropout >= 0 && dropout < 1)) {
    const where = `${file}: lora_dropout`;
    throw mismatch('ERR_CONFIG', where, 'a number from 0 to below 1', describeJson(dropout));
  }
  return { folder, fields, alpha, alphaOf, rankStabilized, dropout, tensors };
}

/** The module that a tensor of an adapter belongs to, and which of the two matrices it is; undefined for one that is saved whole. */
export function lowRankPart(name: string): { module: string; matrix: 'A' | 'B' } | undefined {
  const found = /^(.+)\.lora_([AB])\.weight$/.exec(name);
  return found ? { module: found[1] as string, matrix: found[2] as 'A' | 'B' } : undefined;
}

/** Whether a name is one of some modules' or ends in it, as peft compares them. */
export const isModule = (path: string, names: Iterable<string>): boolean =>
  [...names].some((name) => path === name || path.endsWith(`.${name}`));

function positive(value: unknown, where: string): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw mismatch('ERR_CONFIG', where, 'a number above 0', describeJson(value));
}

/** For messages. */
export const adapterName = ({ folder }: { folder: string }): string => basename(folder);
