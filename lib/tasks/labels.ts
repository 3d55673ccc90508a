import { HeddleError } from '../errors.js';
import type { HeadKind } from '../models/family.js';
import { hasHead } from '../models/registry.js';
import type { EncoderModel } from './model.js';

/** A config's field that is an object, or an empty one. */
function fieldsOf(
  config: Readonly<Record<string, unknown>>,
  name: string,
): Record<string, unknown> {
  const value = Object.hasOwn(config, name) ? config[name] : undefined;
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** Names of a classifier's classes, by number; `LABEL_N` where config.json does not say it, as in Hugging Face. */
export class Labels {
  private readonly names: Record<string, unknown>;
  private readonly count: number;

  constructor(config: Readonly<Record<string, unknown>>) {
    this.names = fieldsOf(config, 'id2label');
    const stated = Object.hasOwn(config, 'num_labels') ? Number(config.num_labels) : 2;
    this.count = Object.keys(this.names).length || stated;
  }

  of(index: number): string {
    const name = Object.hasOwn(this.names, index) ? this.names[index] : undefined;
    return typeof name === 'string' ? name : `LABEL_${index}`;
  }

  get all(): string[] {
    return Array.from({ length: this.count }, (_, i) => this.of(i));
  }
}

/**
 * Throws ERR_UNSUPPORTED where a model's head is not the one that a task needs.
 */
export function expectHead(model: EncoderModel, task: string, kind: HeadKind): void {
  if (hasHead(model.architecture, kind)) return;
  const spoken = kind.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  throw new HeddleError(
    'ERR_UNSUPPORTED',
    `${task}: expected a model with a head for ${spoken}, found ${model.architecture}; ` +
      'choose a checkpoint that was trained for this task',
    { where: task, expected: kind, found: model.architecture },
  );
}
