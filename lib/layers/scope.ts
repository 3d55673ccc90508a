import {
  type Initialization,
  type ParameterRole,
  Parameters,
  type StoredAs,
} from '../graph/parameters.js';
import type { Tensor } from '../graph/tensor.js';
import type { Compute } from '../ops/index.js';
import type { LowRankAdapter } from './low_rank.js';
import { RandomSource } from './random_source.js';

/** Options that every layer takes. */
export interface LayerOptions {
  /** Where the layer's parameters come from; left out: fresh random ones of its own. */
  scope?: Scope | undefined;
}

/**
 * A place in a model's tree of parameters. Layers ask it for their tensors by the last part of the name; a scope made
 * from a checkpoint finds them there, a fresh one makes random ones.
 */
export class Scope {
  /** @param compute how `Linear` layers below multiply. @param adapters what changes them. */
  constructor(
    readonly parameters: Parameters,
    readonly path = '',
    readonly compute: Compute = 'float32',
    readonly adapters: readonly LowRankAdapter[] = [],
  ) {}

  /** A scope of fresh random parameters; the same seed gives the same numbers. */
  static random(seed = 0): Scope {
    return new Scope(new Parameters(new RandomSource(seed)));
  }

  at(name: string | number): Scope {
    return new Scope(this.parameters, this.nameOf(String(name)), this.compute, this.adapters);
  }

  has(name: string): boolean {
    return this.parameters.has(this.nameOf(name));
  }

  /** @param stored where the checkpoint holds it as part of another tensor, or in another shape. */
  parameter(
    name: string,
    shape: readonly number[],
    role: ParameterRole,
    init: Initialization,
    stored?: StoredAs,
  ): Tensor {
    return this.parameters.get(this.nameOf(name), shape, role, init, stored);
  }

  /** Matrices of one shape that the checkpoint has under names of their own, as one, one after the other. */
  stacked(
    names: readonly string[],
    shape: readonly [number, number],
    init: Initialization,
  ): Tensor {
    return this.parameters.stacked(
      names.map((name) => this.nameOf(name)),
      shape,
      init,
    );
  }

  /** A tensor of the class that the model makes nothing of; see `ParameterSource.skip`. */
  skip(name: string, shape: readonly number[]): void {
    this.parameters.skip(this.nameOf(name), shape);
  }

  /** A constant table beside the parameters; see `Parameters.buffer`. */
  buffer(name: string, shape: readonly number[], data: Float32Array): Tensor {
    return this.parameters.buffer(this.nameOf(name), shape, data);
  }

  private nameOf(name: string): string {
    return this.path && name ? `${this.path}.${name}` : this.path || name;
  }
}
