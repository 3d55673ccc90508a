import { HeddleError, mismatch } from '../errors.js';
import {
  type Initialization,
  type ParameterRole,
  type ParameterSource,
  type StoredAs,
  type WeightDType,
  weightDType,
} from '../graph/parameters.js';
import { State } from '../graph/state.js';
import type { FileRange, NativeDType } from '../native.js';

export type { WeightDType };

/** Parts of names that older checkpoints spell differently. */
const olderNames: readonly (readonly [string, string])[] = [
  ['.weight', '.gamma'],
  ['.bias', '.beta'],
];

/** A config with a billion layers must not make as many names. */
const mostMissing = 64;

/** Finds a model's parameters among a checkpoint's tensors. */
export class CheckpointSource implements ParameterSource {
  /** Names of the tensors that parameters were made from. */
  private readonly used = new Set<string>();
  private readonly missing = new Set<string>();

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
    const found = this.find(name);
    const range = found === undefined ? undefined : this.tensors.get(found);
    if (found === undefined || !range) {
      this.missing.add(name);
      if (this.missing.size === mostMissing) this.checkComplete();
      return new State(name, shape, 'float32', { kind: 'zeros' }); // `checkComplete` names it with all the others
    }
    this.used.add(found);
    const expected = stored?.shape ?? shape;
    if (String(range.dims) !== String(expected)) {
      const where = `${range.path}: ${name}`;
      throw mismatch('ERR_SHAPE', where, `[${expected.join(', ')}]`, `[${range.dims.join(', ')}]`);
    }
    const dtype = this.dtypeFor(range, role);
    if (stored?.transposed) {
      return new State(name, shape, dtype, { kind: 'file', range, transposed: true });
    }
    const part = stored ? partOf(range, shape, stored.offset) : range;
    return new State(name, shape, dtype, { kind: 'file', range: part });
  }

  stack(names: readonly string[], shape: readonly [number, number]): State {
    const states = names.map((name) => this.create(name, shape, 'linear'));
    const ranges = states.flatMap(({ source }) => (source.kind === 'file' ? source.range : []));
    const whole = [names.length * shape[0], shape[1]];
    const [first] = ranges;
    if (first === undefined || ranges.length < names.length) {
      return new State(names[0], whole, 'float32', { kind: 'zeros' }); // `checkComplete` names what is missing
    }
    const dtype = this.dtypeFor(first, 'linear');
    return new State(names[0], whole, dtype, { kind: 'files', ranges });
  }

  /** Tensors that no parameter was made of so far, in the order of the file. */
  get unused(): string[] {
    return [...this.tensors.keys()].filter((name) => !this.used.has(name));
  }

  /** To be called when the model is built: throws ERR_NOT_FOUND naming all tensors that were not found. */
  checkComplete(): void {
    const missing = [...this.missing];
    if (missing.length === 0) return;
    const { where } = this.options;
    const quoted = (names: readonly string[]): string =>
      names.map((name) => `'${name}'`).join(', ') || 'none';
    const { unused } = this;
    const tensors = missing.length === 1 ? 'a tensor' : `${missing.length} tensors`;
    throw new HeddleError(
      'ERR_NOT_FOUND',
      `${where}: expected ${tensors} ${quoted(missing)}, found none of that name; tensors that the model does not ` +
        `use: ${quoted(unused.slice(0, 20))}${unused.length > 20 ? ` and ${unused.length - 20} more` : ''}; ` +
        'a checkpoint of another architecture than config.json says, or of the model without its head?',
      { where, expected: missing.join(', '), found: unused.join(', ') },
    );
  }

  private dtypeFor(range: FileRange, role: ParameterRole): NativeDType {
    return weightDType(role, this.options.dtype, storedAs(range));
  }

  /** The name under which the checkpoint has a tensor. */
  private find(name: string): string | undefined {
    if (this.tensors.has(name)) return name;
    const prefix = `${this.options.prefix}.`;
    const names = name.startsWith(prefix) ? [name, name.slice(prefix.length)] : [name];
    const spellings = names.flatMap((candidate) => [
      candidate,
      ...olderNames
        .filter(([ending]) => candidate.endsWith(ending))
        .map(([ending, older]) => candidate.slice(0, -ending.length) + older),
    ]);
    return spellings.find((spelling) => this.tensors.has(spelling));
  }
}

/** The dtype that holds a tensor as its file does. */
function storedAs({ dtype }: FileRange): 'float32' | 'float16' | 'bfloat16' {
  if (dtype === 'F16') return 'float16';
  return dtype === 'BF16' ? 'bfloat16' : 'float32';
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
