import { storeAs } from '../../lib/checkpoints/dtype.js';
import { State } from '../../lib/graph/state.js';
import { stateTensor, type Tensor, tensor } from '../../lib/graph/tensor.js';
import type { NativeDType } from '../../lib/native.js';

/** One comparison of an op's native kernel with its float64 definition. */
export interface OpCase {
  op: string;
  name: string;
  build: (random: Random) => Tensor;
  /** |native − reference| ≤ absolute + relative·|reference|. Left out: 1e-5 and 1e-5. */
  absolute?: number;
  relative?: number;
}

/** Numbers that look random and are the same every time: a 32-bit counter, scrambled (MurmurHash3's finaliser). */
export class Random {
  private counter: number;
  constructor(seed: number) {
    this.counter = Math.imul(seed + 1, 0x9e3779b9);
  }

  /** Uniform in [−1, 1). */
  next(): number {
    this.counter = (this.counter + 0x6d2b79f5) | 0;
    let bits = this.counter;
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 31 - 1;
  }

  values(count: number, scale = 1): Float32Array {
    return Float32Array.from({ length: count }, () => this.next() * scale);
  }

  integer(bound: number): number {
    return Math.min(bound - 1, Math.floor(((this.next() + 1) / 2) * bound));
  }

  tensor(shape: number[], scale = 1): Tensor {
    return tensor(
      this.values(
        shape.reduce((a, b) => a * b, 1),
        scale,
      ),
      shape,
    );
  }

  /** A parameter in native memory, in the dtype given. */
  state(
    shape: number[],
    dtype: Exclude<NativeDType, 'int32' | 'int8Blocks'> = 'float32',
    scale = 1,
  ): Tensor {
    const values = this.values(
      shape.reduce((a, b) => a * b, 1),
      scale,
    );
    const data = storeAs(dtype, Float64Array.from(values));
    return stateTensor(new State('parameter', shape, dtype, { kind: 'data', data }));
  }
}

export const ints = (values: readonly number[]): Tensor => tensor(Int32Array.from(values));

/** Row offsets of segments of these lengths. */
export const offsetsOf = (lengths: readonly number[]): number[] =>
  [0, ...lengths].map((_, i) => sum(lengths.slice(0, i)));
export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
