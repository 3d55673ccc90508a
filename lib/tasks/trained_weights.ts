/** What a training run keeps of a model: all of its weights, or those of the adapter over it. */
import { join } from 'node:path';
import { adapterWeightsName } from '../checkpoints/adapter_files.js';
import { openCheckpoint } from '../checkpoints/checkpoint.js';
import type { StoredParameter } from '../graph/parameters.js';
import type { FileRange } from '../native.js';
import { TrainableModel } from './load_trainable.js';
import { type Companions, saveCompanions, saveModel } from './save_model.js';
import type { Trainable } from './trainable.js';

export interface TrainedWeights {
  /** What the folder of the result is called. */
  readonly kind: 'model' | 'adapter';
  /** Parameters, and where the files that `save` writes have them. */
  stored(): StoredParameter[];
  /** @throws ERR_FILE. */
  save(folder: string, companions: Companions): Promise<void>;
  /** The tensors of what `save` wrote. */
  open(folder: string): Promise<ReadonlyMap<string, FileRange>>;
}

export function trainedWeights(model: Trainable): TrainedWeights {
  const adapter = model instanceof TrainableModel ? model.adapter : undefined;
  if (!adapter) {
    return {
      kind: 'model',
      stored: () => model.stored(),
      save: (folder, companions) => saveModel(folder, model, companions),
      open: async (folder) => (await openCheckpoint(folder)).tensors,
    };
  }
  return {
    kind: 'adapter',
    stored: () => adapter.stored(),
    async save(folder, companions) {
      await saveCompanions(folder, companions);
      await adapter.save(folder);
    },
    open: async (folder) => (await openCheckpoint(join(folder, adapterWeightsName))).tensors,
  };
}
