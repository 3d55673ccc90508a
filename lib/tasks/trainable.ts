import type { JsonFields } from '../checkpoints/json_file.js';
import type { Parameters, StoredParameter } from '../graph/parameters.js';

/** A model that is trained and saved. */
export interface Trainable {
  readonly parameters: Parameters;
  /** As config.json has it. */
  readonly config: JsonFields;
  /** Parameters and where a checkpoint has them. */
  stored(): StoredParameter[];
  save(folder: string): Promise<void>;
  dispose(): void;
}
