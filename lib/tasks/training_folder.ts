import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openCheckpoint } from '../checkpoints/checkpoint.js';
import {
  createFolder,
  removeFolder,
  replaceFile,
  sweepUnfinished,
  writingError,
} from '../checkpoints/file_writing.js';
import { isFields, type JsonFields, readJsonObject } from '../checkpoints/json_file.js';
import { CheckpointSource } from '../checkpoints/parameter_source.js';
import { safetensorsBytes } from '../checkpoints/safetensors_writer.js';
import { HeddleError, mismatch } from '../errors.js';
import type { Backend } from '../graph/backend.js';
import { State } from '../graph/state.js';
import { writeState } from '../graph/write_state.js';
import type { Evaluation } from '../train/evaluation.js';
import type { CheckpointStore, TrainingProgress } from '../train/trainer.js';
import type { Companions } from './save_model.js';
import type { TrainedWeights } from './trained_weights.js';

export interface TrainingFolderOptions {
  readonly folder: string;
  readonly weights: TrainedWeights;
  readonly backend: Backend;
  readonly companions: Companions;
  /** What must be the same when the run is resumed. */
  readonly identity: Readonly<Record<string, unknown>>;
  /** How many of the newest checkpoints are kept, and of those with the lowest loss. */
  readonly newest: number;
  readonly best: number;
}

interface Checkpoint {
  readonly path: string;
  readonly progress: TrainingProgress;
  readonly loss: number | undefined;
  readonly identity: Readonly<Record<string, unknown>>;
}

const stepFolder = /^step-(\d+)$/;

/**
 * The folder of a training run: `checkpoints/step-…`, each a model's or an adapter's folder with the optimiser's states and where the
 * run stood, and `model` or `adapter`, the result. A checkpoint gets its name when all of it is on the disk.
 */
export class TrainingFolder implements CheckpointStore {
  private readonly checkpoints: string;

  constructor(private readonly options: TrainingFolderOptions) {
    this.checkpoints = join(options.folder, 'checkpoints');
  }

  /** Makes the folder, and takes away what a killed run left unfinished. */
  async open(): Promise<void> {
    try {
      await mkdir(this.checkpoints, { recursive: true });
    } catch (cause) {
      throw writingError(this.checkpoints, cause);
    }
    for (const folder of [this.options.folder, this.checkpoints, this.result]) {
      await sweepUnfinished(folder);
    }
  }

  get result(): string {
    return join(this.options.folder, this.options.weights.kind);
  }

  /** Writes the weights that the run has come to into their own folder. */
  async saveResult(): Promise<void> {
    const { weights, companions } = this.options;
    await weights.save(this.result, companions);
  }

  async save(
    progress: TrainingProgress,
    states: readonly State[],
    evaluation?: Evaluation,
  ): Promise<void> {
    const { weights, companions, identity, backend } = this.options;
    const name = `step-${String(progress.step).padStart(8, '0')}`;
    await createFolder(join(this.checkpoints, name), async (folder) => {
      await weights.save(folder, companions);
      const tensors = states.map((state) => ({
        name: state.name,
        shape: state.shape,
        read: async () => (await backend.read(state)) as Float32Array,
      }));
      await replaceFile(join(folder, 'optimizer.safetensors'), safetensorsBytes(tensors));
      const json = { ...progress, identity, loss: evaluation?.loss };
      await replaceFile(join(folder, 'progress.json'), [Buffer.from(JSON.stringify(json))]);
    });
    await this.prune();
  }

  /** Of the newest; undefined where there is none. */
  async newest(): Promise<Checkpoint | undefined> {
    return (await this.list()).at(-1);
  }

  /** Of the lowest loss; undefined where none was evaluated. */
  async best(): Promise<Checkpoint | undefined> {
    return byLoss(await this.list())[0];
  }

  /**
   * Gives the model a checkpoint's weights. @returns the optimiser's states.
   * @throws ERR_CONFIG where the run was of something else; what reading throws.
   */
  async load({ path, identity }: Checkpoint): Promise<Map<string, Float32Array>> {
    for (const [name, expected] of Object.entries(this.options.identity)) {
      const [here, there] = [JSON.stringify(expected), JSON.stringify(identity[name])];
      if (here === there) continue;
      const where = `${path}: ${name}`;
      const reason = name === 'lora.base' ? ': its adapter is over another model' : '';
      throw mismatch(
        'ERR_CONFIG',
        where,
        `${here}, as in this run`,
        `${there ?? 'nothing'}${reason}`,
      );
    }
    await this.loadWeights(path);
    const { tensors } = await openCheckpoint(join(path, 'optimizer.safetensors'));
    const states = new Map<string, Float32Array>();
    for (const [name, range] of tensors) {
      using state = new State(name, range.dims, 'float32', { kind: 'file', range });
      states.set(name, (await this.options.backend.read(state)) as Float32Array);
    }
    return states;
  }

  /** @throws ERR_NOT_FOUND and ERR_SHAPE, naming parameters, for a checkpoint of another architecture. */
  async loadWeights(path: string): Promise<void> {
    const { weights, backend } = this.options;
    const tensors = await weights.open(path);
    const source = new CheckpointSource(tensors, { prefix: '', dtype: 'float32', where: path });
    const pairs = weights.stored().map(({ state, names, stored }) => {
      const [n = 0, k = 0] = state.shape;
      const found =
        names.length > 1
          ? source.stack(names, [n / names.length, k])
          : source.create(names[0] ?? '', state.shape, 'linear', undefined, stored);
      return { state, found };
    });
    source.checkComplete();
    const [unused] = source.unused;
    if (unused !== undefined) {
      const message = `${path}: expected the tensors of this model, found '${unused}' beside them: a checkpoint of another one`;
      throw new HeddleError('ERR_CONFIG', message, { where: path, found: unused });
    }
    for (const { state, found } of pairs) {
      const contents = (await backend.read(found)) as Float32Array;
      found.dispose();
      await writeState(backend, state, contents);
    }
  }

  private async prune(): Promise<void> {
    const { newest, best } = this.options;
    const all = await this.list();
    const kept = new Set([...all.slice(-newest), ...byLoss(all).slice(0, best)]);
    for (const checkpoint of all) {
      if (!kept.has(checkpoint)) await removeFolder(checkpoint.path);
    }
  }

  /** By step. */
  private async list(): Promise<Checkpoint[]> {
    const names = (await readdir(this.checkpoints)).filter((name) => stepFolder.test(name)).sort();
    return Promise.all(
      names.map(async (name) => {
        const path = join(this.checkpoints, name);
        const { loss, identity, ...progress } = await readJsonObject(join(path, 'progress.json'));
        return {
          path,
          progress: checkedProgress(progress, path),
          loss: typeof loss === 'number' ? loss : undefined,
          identity: (identity ?? {}) as Record<string, unknown>,
        };
      }),
    );
  }
}

/** What `save` wrote, unless someone else did. */
function checkedProgress(fields: JsonFields, path: string): TrainingProgress {
  const { step, position, sinceBest, best } = fields;
  const isCount = (value: unknown): boolean =>
    Number.isSafeInteger(value) && (value as number) >= 0;
  const isPlace = isFields(position) && isCount(position.epoch) && isCount(position.batch);
  const isBest = best === undefined || (isFields(best) && typeof best.loss === 'number');
  if (isCount(step) && isCount(sinceBest) && isPlace && isBest) {
    return fields as unknown as TrainingProgress;
  }
  const expected = 'step, position and sinceBest of a training run';
  throw mismatch('ERR_FORMAT', join(path, 'progress.json'), expected, 'something else');
}

/** Those that were evaluated, the lowest loss first. */
const byLoss = (all: readonly Checkpoint[]): Checkpoint[] =>
  all
    .filter(({ loss }) => loss !== undefined)
    .sort((a, b) => (a.loss as number) - (b.loss as number));
