import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  adapterConfigName,
  adapterPrefix,
  adapterWeightsName,
  isModule,
} from '../checkpoints/adapter_files.js';
import { hashRange } from '../checkpoints/file_reading.js';
import { replaceFile, writingError } from '../checkpoints/file_writing.js';
import type { JsonFields } from '../checkpoints/json_file.js';
import { safetensorsBytes } from '../checkpoints/safetensors_writer.js';
import { mismatch } from '../errors.js';
import type { Backend } from '../graph/backend.js';
import { defaultBackend } from '../graph/default_backend.js';
import type { Parameters, StoredParameter } from '../graph/parameters.js';
import type { State } from '../graph/state.js';
import type { OpenAdapter } from './adapter.js';

/** An adapter that is being trained over a model that stays as it is. */
export class AdapterTraining {
  /**
   * @param of `base`: the model's source, and `prefix`: what its names have in front that those of the adapter leave out. `config`:
   * the model's, where the adapter has a head that the base lacks.
   */
  constructor(
    private readonly of: {
      adapter: OpenAdapter;
      base: string;
      prefix: string;
      config?: JsonFields | undefined;
    },
    private readonly all: Parameters,
  ) {
    const { modulesToSave } = of.adapter;
    for (const module of modulesToSave) {
      const members = [...all].filter(({ name }) => isModule(layerOf(name), [module]));
      const where = 'adapter: modulesToSave';
      if (members.length === 0) {
        throw mismatch('ERR_NOT_FOUND', where, 'names of layers that the model has', `'${module}'`);
      }
      for (const { name, source } of members) {
        const isPart = members.filter((other) => other.name === name).length > 1;
        const isTransposed = source.kind === 'file' && source.transposed;
        if (!isPart && !isTransposed) continue;
        const expected = 'layers whose weights the checkpoint has as they are computed with';
        throw mismatch('ERR_UNSUPPORTED', where, expected, `'${name}'`);
      }
    }
  }

  /** What its files' tensors do not tell: a run that goes on with it must have the same. */
  get settings(): Readonly<Record<'alpha' | 'rsLora' | 'dropout', unknown>> {
    const { lora_alpha, use_rslora, lora_dropout } = this.of.adapter.fields;
    return { alpha: lora_alpha, rsLora: use_rslora ?? false, dropout: lora_dropout ?? 0 };
  }

  /**
   * A digest of the weights that stay as they are, by which a run that goes on with the adapter tells that it is over the same model,
   * wherever that lies by now. @throws ERR_FILE.
   */
  async baseDigest(): Promise<string> {
    const hash = createHash('sha256');
    for (const { name, dtype, source } of this.all) {
      if (this.isTrained(name)) continue;
      hash.update(`${name} ${dtype} `);
      const ranges =
        source.kind === 'file' ? [source.range] : source.kind === 'files' ? source.ranges : [];
      for (const range of ranges) await hashRange(hash, range);
    }
    return hash.digest('hex').slice(0, 16);
  }

  /** What is trained: the changes of projections, and the layers that are saved whole. */
  get parameters(): State[] {
    return [...this.all].filter(({ name }) => this.isTrained(name));
  }

  /** Whether the checkpoint has a projection that is changed as [inputs, outputs], as GPT-2's; peft wants to be told. */
  private get isTransposed(): boolean {
    const changed = new Set(
      this.parameters.map(({ name }) => name.replace(/lora_[AB]\.weight$/, 'weight')),
    );
    return [...this.all].some(
      ({ name, source }) =>
        changed.has(name) && source.kind === 'file' && source.transposed === true,
    );
  }

  private isTrained(name: string): boolean {
    const layer = layerOf(name);
    return /\.lora_[AB]$/.test(layer) || isModule(layer, this.of.adapter.modulesToSave);
  }

  /** Parameters and where an adapter's file has them. */
  stored(): StoredParameter[] {
    const { prefix } = this.of;
    return this.parameters.map((state) => ({
      state,
      names: [`${adapterPrefix}${nameOf(state.name, prefix)}`],
    }));
  }

  /**
   * Writes adapter_config.json and adapter_model.safetensors, which Python's peft and `load` open, and for a head that the base lacks
   * config.json, from which `load` knows it. @throws ERR_FILE.
   */
  async save(folder: string, backend: Backend = defaultBackend()): Promise<void> {
    const { adapter, base, config: head } = this.of;
    const { modulesToSave } = adapter;
    const tensors = this.stored().map(({ state, names: [name = ''] }) => ({
      name,
      shape: state.shape,
      read: async () => (await backend.read(state)) as Float32Array,
    }));
    const fields = {
      ...adapter.fields,
      modules_to_save: modulesToSave.length > 0 ? modulesToSave : null,
      base_model_name_or_path: base,
      fan_in_fan_out: this.isTransposed,
      inference_mode: true,
    };
    const json = (value: JsonFields) => [Buffer.from(`${JSON.stringify(value, null, 2)}\n`)];
    try {
      await mkdir(folder, { recursive: true });
    } catch (cause) {
      throw writingError(folder, cause);
    }
    await replaceFile(join(folder, adapterWeightsName), safetensorsBytes(tensors));
    if (head) await replaceFile(join(folder, 'config.json'), json(head));
    await replaceFile(join(folder, adapterConfigName), json(fields));
  }
}

const layerOf = (name: string): string => name.slice(0, name.lastIndexOf('.'));

function nameOf(name: string, prefix: string): string {
  return prefix !== '' && name.startsWith(`${prefix}.`) ? name.slice(prefix.length + 1) : name;
}
