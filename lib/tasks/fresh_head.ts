import type { JsonFields } from '../checkpoints/json_file.js';
import type {
  Initialization,
  ParameterRole,
  ParameterSource,
  StoredAs,
} from '../graph/parameters.js';
import type { State } from '../graph/state.js';

/** The parameters of a checkpoint without a head, and beside them a new head's, which are drawn. */
export class FreshHeadSource implements ParameterSource {
  /** @param prefix of the names below the head. @param layers gets the names of those that are drawn. */
  constructor(
    private readonly below: ParameterSource,
    private readonly head: ParameterSource,
    private readonly prefix: string,
    private readonly layers: Set<string>,
  ) {}

  has(name: string): boolean {
    return this.below.has(name) || this.isHead(name);
  }

  create(
    name: string,
    shape: readonly number[],
    role: ParameterRole,
    init: Initialization,
    stored?: StoredAs,
  ): State {
    const isFresh = !this.below.has(name) && this.isHead(name);
    if (isFresh) this.layers.add(name.slice(0, name.lastIndexOf('.')));
    return (isFresh ? this.head : this.below).create(name, shape, role, init, stored);
  }

  /** Checkpoints of embedders often lack the pooler, which belongs to BERT's body by its name. */
  private isHead(name: string): boolean {
    return !name.startsWith(`${this.prefix}.`) || name.startsWith(`${this.prefix}.pooler.`);
  }
}

/** What config.json says of a classifier's classes. */
export const labelFields = (labels: readonly string[]): JsonFields => ({
  id2label: Object.fromEntries(labels.entries()),
  label2id: Object.fromEntries(labels.map((label, number) => [label, number])),
});
