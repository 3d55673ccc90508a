import { HeddleError } from '../errors.js';
import type { NativeDType } from '../native.js';
import type { Backend } from './backend.js';
import { tensorBytes } from './shape.js';
import { State } from './state.js';
import { stateTensor, type Tensor } from './tensor.js';

/**
 * What a parameter is for, which decides how it may be stored: the weight of `linear` is packed, and it and the rows of an
 * `embedding` may be half precision or int8, it alone int4; a `vector` (bias, gain, small table) is float32.
 */
export type ParameterRole = 'linear' | 'embedding' | 'vector';

/** How weights are kept in memory; left out: as the file stores them. */
export const weightDTypes = ['float32', 'float16', 'bfloat16', 'int8', 'int4'] as const;
export type WeightDType = (typeof weightDTypes)[number];

/** The dtype of a parameter. @param asked for the model. @param stored what holds it as its file does. */
export function weightDType(
  role: ParameterRole,
  asked: WeightDType | undefined,
  stored: NativeDType,
): NativeDType {
  if (role === 'vector') return 'float32';
  // Rows of a table are read, not multiplied; where the table is also the output projection, int4 would cost it most.
  if (role === 'embedding' && asked === 'int4') return 'int8';
  return asked ?? stored;
}

/** How fresh parameters are filled: uniform in ±bound, normal with a deviation, or one value. */
export type Initialization =
  | { kind: 'uniform'; bound: number }
  | { kind: 'normal'; deviation: number }
  | { kind: 'constant'; value: number };

/** Where a parameter lies in a checkpoint that holds it as part of another tensor, or in another shape. */
export interface StoredAs {
  /** Of the tensor in the checkpoint. */
  readonly shape: readonly number[];
  /** Of the parameter's first element, counted in elements. */
  readonly offset: number;
  /** Whether a matrix [n, k] is stored as [k, n], all of it: only for the weight of `linear`. */
  readonly transposed?: boolean;
}

/** Where parameters come from: a checkpoint's tensors by name, or random numbers. */
export interface ParameterSource {
  has(name: string): boolean;
  /** Throws HeddleError where there is no such tensor or its shape is another. */
  create(
    name: string,
    shape: readonly number[],
    role: ParameterRole,
    init: Initialization,
    stored?: StoredAs,
  ): State;
  /** A tensor that checkpoints of the class have and the model makes nothing of: for those who count. */
  skip?(name: string, shape: readonly number[]): void;
  /** Matrices [n, k] one after the other, as [names·n, k]: the weights of experts. Left out: the source has none. */
  stack?(names: readonly string[], shape: readonly [number, number], init: Initialization): State;
}

export interface LoadOptions {
  signal?: AbortSignal | undefined;
  /** Called as parameters arrive, with the bytes read so far and in all. */
  onProgress?: ((progress: { loaded: number; total: number }) => void) | undefined;
}

interface Entry {
  readonly state: State;
  role: ParameterRole;
  readonly names: readonly string[];
  readonly stored?: StoredAs | undefined;
}

/** A parameter and where a checkpoint has it. */
export interface StoredParameter {
  readonly state: State;
  /** Of its tensor in a checkpoint; several where it is those tensors one after the other. */
  readonly names: readonly string[];
  readonly stored?: StoredAs | undefined;
}

/** Bytes of parameters that are asked for before the first of them has come: the engine need not wait while this thread does something else. */
const bytesAhead = 256 * 2 ** 20;

/** The parameters of one model, by name: each is made once, however many layers use it. */
export class Parameters {
  private readonly states = new Map<string, Entry>();
  private readonly buffers: State[] = [];

  constructor(private readonly source: ParameterSource) {}

  has(name: string): boolean {
    return this.source.has(name);
  }

  get(
    name: string,
    shape: readonly number[],
    role: ParameterRole,
    init: Initialization,
    stored?: StoredAs,
  ): Tensor {
    const key = stored ? `${name} from ${stored.offset}` : name;
    let entry = this.states.get(key);
    if (!entry) {
      entry = {
        state: this.source.create(name, shape, role, init, stored),
        role,
        names: [name],
        stored,
      };
      this.states.set(key, entry);
    } else if (entry.role !== role) {
      entry.role = 'embedding'; // used in more than one way: keep it as it is stored
    }
    if (String(entry.state.shape) !== String(shape)) {
      throw new HeddleError(
        'ERR_SHAPE',
        `${name}: expected [${shape.join(', ')}], found [${entry.state.shape.join(', ')}]`,
        { where: name },
      );
    }
    return stateTensor(entry.state);
  }

  /** Matrices [n, k] of several names as one, [names·n, k], for `linearExperts`. */
  stacked(
    names: readonly string[],
    shape: readonly [number, number],
    init: Initialization,
  ): Tensor {
    const key = `${names[0]} and ${names.length - 1} more`;
    let entry = this.states.get(key);
    if (!entry) {
      const state = this.source.stack?.(names, shape, init);
      if (!state) throw new HeddleError('ERR_NOT_FOUND', `${key}: there are no such tensors`);
      entry = { state, role: 'linear', names };
      this.states.set(key, entry);
    }
    return stateTensor(entry.state);
  }

  /** See `ParameterSource.skip`. */
  skip(name: string, shape: readonly number[]): void {
    this.source.skip?.(name, shape);
  }

  /** A constant table that lives as long as the parameters and is none of them: neither counted nor loaded ahead. */
  buffer(name: string, shape: readonly number[], data: Float32Array): Tensor {
    const state = new State(name, shape, 'float32', { kind: 'data', data });
    this.buffers.push(state);
    return stateTensor(state);
  }

  *[Symbol.iterator](): IterableIterator<State> {
    for (const { state } of this.states.values()) yield state;
  }

  /** How a checkpoint has them. */
  stored(): StoredParameter[] {
    return [...this.states.values()];
  }

  /** How each may be kept. */
  roles(): Map<State, ParameterRole> {
    return new Map(Array.from(this.states.values(), ({ state, role }) => [state, role]));
  }

  /** Number of parameters. */
  get count(): number {
    let sum = 0;
    for (const state of this) sum += state.shape.reduce((product, dim) => product * dim, 1);
    return sum;
  }

  /** Reads all of them into the backend's memory. Where it ends early, nothing is being read any more. */
  async load(backend: Backend, { signal, onProgress }: LoadOptions = {}): Promise<void> {
    const sizeOf = ({ dtype, shape }: State): number => tensorBytes(dtype, shape);
    let total = 0;
    for (const state of this) total += sizeOf(state);
    let loaded = 0;
    const begun: { bytes: number; done: Promise<void> }[] = [];
    let begunBytes = 0;
    const finishOldest = async (): Promise<void> => {
      const oldest = begun.shift();
      if (!oldest) return;
      await oldest.done;
      begunBytes -= oldest.bytes;
      loaded += oldest.bytes;
      onProgress?.({ loaded, total });
      signal?.throwIfAborted();
    };
    try {
      for (const { state, role } of this.states.values()) {
        signal?.throwIfAborted();
        const bytes = sizeOf(state);
        const room = Math.max(0, bytesAhead - bytes);
        while (begun.length > 0 && begunBytes > room) await finishOldest();
        const done = backend.load(state, role === 'linear' || state.isTied ? 'packed' : 'plain');
        done.catch(() => undefined); // its turn to be awaited may come after it has failed
        begun.push({ bytes, done });
        begunBytes += bytes;
      }
      while (begun.length > 0) await finishOldest();
    } finally {
      await Promise.allSettled(begun.map(({ done }) => done));
    }
  }

  dispose(): void {
    for (const state of [...this, ...this.buffers]) state.dispose();
  }
}
