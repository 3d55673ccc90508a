import { HeddleError, mismatch } from '../errors.js';
import type {
  Initialization,
  ParameterRole,
  ParameterSource,
  StoredAs,
} from '../graph/parameters.js';
import { State } from '../graph/state.js';
import type { FileRange, NativeDType } from '../native.js';

/** How weights are kept in memory; left out: as the file stores them. */
export type WeightDType = 'float32' | 'float16' | 'bfloat16' | 'int8';

/** Parts of names that older checkpoints spell differently. */
const olderNames: readonly (readonly [string, string])[] = [
  ['.weight', '.gamma'],
  ['.bias', '.beta'],
];

/** Finds a model's parameters among a checkpoint's tensors. */
export class CheckpointSource implements ParameterSource {
  /**
   * @param prefix the part of a name, such as `bert`, that a checkpoint of the model without its head leaves out.
   * @param where the checkpoint, for messages.
   */
  constructor(
    private readonly tensors: ReadonlyMap<string, FileRange>,
    private readonly options: { prefix: string; dtype?: WeightDType | undefined; where: string },
  ) {}

  has(name: string): boolean {
    return this.find(name) !== undefined;
  }

  create(
    name: string,
    shape: readonly number[],
    role: ParameterRole,
    _init?: Initialization,
    stored?: StoredAs,
  ): State {
    const range = this.find(name);
    if (!range) {
      throw new HeddleError(
        'ERR_NOT_FOUND',
        `${this.options.where}: expected a tensor '${name}', found none of that name`,
        {
          where: this.options.where,
          expected: name,
        },
      );
    }
    const expected = stored?.shape ?? shape;
    if (String(range.dims) !== String(expected)) {
      const where = `${range.path}: ${name}`;
      throw mismatch('ERR_SHAPE', where, `[${expected.join(', ')}]`, `[${range.dims.join(', ')}]`);
    }
    const part = stored ? partOf(range, shape, stored.offset) : range;
    return new State(name, shape, this.dtypeFor(range, role), { kind: 'file', range: part });
  }

  private dtypeFor(range: FileRange, role: ParameterRole): NativeDType {
    if (role === 'vector') return 'float32';
    if (this.options.dtype) return this.options.dtype;
    if (range.dtype === 'F16') return 'float16';
    return range.dtype === 'BF16' ? 'bfloat16' : 'float32';
  }

  private find(name: string): FileRange | undefined {
    const prefix = `${this.options.prefix}.`;
    const names = name.startsWith(prefix) ? [name, name.slice(prefix.length)] : [name];
    for (const candidate of names) {
      const found = this.tensors.get(candidate);
      if (found) return found;
      for (const [ending, older] of olderNames) {
        if (!candidate.endsWith(ending)) continue;
        const range = this.tensors.get(candidate.slice(0, -ending.length) + older);
        if (range) return range;
      }
    }
    return undefined;
  }
}

/** The elements of a tensor from `offset` on, in the shape given. */
function partOf(range: FileRange, shape: readonly number[], offset: number): FileRange {
  const count = (dims: readonly number[]): number =>
    dims.reduce((product, dim) => product * dim, 1);
  const elementBytes = range.bytes / count(range.dims);
  return {
    ...range,
    dims: [...shape],
    offset: range.offset + offset * elementBytes,
    bytes: count(shape) * elementBytes,
  };
}
