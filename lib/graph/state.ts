import { HeddleError } from '../errors.js';
import type { FileRange, NativeDType } from '../native.js';
import { checkShape, elementCount } from './shape.js';

/** Where the first contents of a state come from. */
export type StateSource =
  /** `transposed`: the file has a matrix [n, k] as [k, n]. */
  | { kind: 'file'; range: FileRange; transposed?: boolean }
  /** The contents of several ranges, one after the other. */
  | { kind: 'files'; ranges: readonly FileRange[] }
  | { kind: 'data'; data: Float32Array | Int32Array | Uint16Array }
  | { kind: 'zeros' };

/** What a backend keeps for a state; opaque to everyone else. */
export interface BackendState {
  readonly bytes: number;
  release(): void;
}

/**
 * A buffer that outlives a run: a parameter, a cache, an optimiser moment. It is changed only by `assign`
 * and `append` nodes, in the order in which they were recorded.
 *
 * Each backend makes its own copy the first time a plan needs it, and keeps it until `dispose`.
 */
export class State {
  private static count = 0;
  readonly id = State.count++;
  private readonly copies = new Map<object, BackendState>();
  private disposed = false;
  /** Rows of it are read, and it is multiplied as well: a backend may keep it packed for that alone, and read rows of what is packed. */
  isTied = false;

  /** @param shape dimensions, row-major; for a file, those of the file. @param dtype as it is stored in memory. */
  constructor(
    readonly name: string,
    readonly shape: readonly number[],
    readonly dtype: NativeDType,
    readonly source: StateSource,
  ) {
    checkShape(shape, name);
    if (source.kind === 'data' && source.data.length !== elementCount(shape)) {
      throw new HeddleError(
        'ERR_SHAPE',
        `${name}: expected ${elementCount(shape)} elements for [${shape.join(', ')}], found ${source.data.length}`,
      );
    }
  }

  copyOn(backend: object): BackendState | undefined {
    this.checkAlive();
    return this.copies.get(backend);
  }

  keepCopy(backend: object, copy: BackendState): void {
    this.checkAlive();
    this.copies.set(backend, copy);
  }

  private checkAlive(): void {
    if (this.disposed) throw new HeddleError('ERR_DISPOSED', `${this.name} was disposed`);
  }

  dispose(): void {
    this.disposed = true;
    for (const copy of this.copies.values()) copy.release();
    this.copies.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
