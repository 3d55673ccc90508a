import { mismatch } from '../errors.js';
import { describeValue } from '../graph/options.js';

export type ResultData = Float32Array | Int8Array | Uint8Array;

/** Of one dimension: all of it (null), one place, which the dimension then vanishes with, or [from, to); negative ones count from its end. */
export type Slice = number | readonly [from: number | null, to: number | null] | null;

/**
 * A dense array with the members of @huggingface/transformers' Tensor that its programs use on results. `tensor[i]` is the part at
 * place i of the first dimension, and so are the parts that iterating gives; both share the data, as do `view`, `squeeze` and
 * `unsqueeze`. All others give new data.
 * @throws ERR_ARGUMENT for dimensions and places that there are not, ERR_SHAPE for shapes that do not fit.
 */
export class ResultTensor<T extends ResultData = Float32Array> {
  readonly type: 'float32' | 'int8' | 'uint8';
  readonly location = 'cpu';
  readonly [place: number]: ResultTensor<T>;

  constructor(
    readonly data: T,
    readonly dims: readonly number[],
  ) {
    if (data instanceof Float32Array) this.type = 'float32';
    else this.type = data instanceof Int8Array ? 'int8' : 'uint8';
  }

  get size(): number {
    return this.data.length;
  }

  /** Nested arrays. */
  tolist(): unknown {
    const nest = (dim: number, begin: number, length: number): unknown => {
      if (dim === this.dims.length) return this.data[begin];
      const stride = length / (this.dims[dim] || 1);
      return Array.from({ length: this.dims[dim] }, (_, i) =>
        nest(dim + 1, begin + i * stride, stride),
      );
    };
    return nest(0, 0, this.data.length);
  }

  /** The only number. */
  item(): number {
    if (this.size === 1) return this.data[0];
    throw mismatch('ERR_SHAPE', 'item', 'one number', `${this.size}`);
  }

  /** Parts of the first dimension; of a vector its numbers, typed as TypeScript can say of neither alone. */
  *[Symbol.iterator](): Generator<ResultTensor<T>> {
    if (this.dims.length < 2) yield* this.data as unknown as Iterable<ResultTensor<T>>;
    else for (let i = 0; i < this.dims[0]; i++) yield this.part(i);
  }

  part(place: number): ResultTensor<T> {
    const [length = 0, ...rest] = this.dims;
    const i = checkedPlace('tensor', place, length);
    const width = this.size / length;
    return new ResultTensor(this.data.subarray(i * width, (i + 1) * width) as T, rest);
  }

  slice(...slices: readonly (Slice | undefined)[]): ResultTensor<T> {
    const bounds = this.dims.map((length, dim) => boundsOf(slices[dim], length, dim));
    const dims = this.dims.flatMap((_, dim) => {
      const [from, to] = bounds[dim];
      return typeof slices[dim] === 'number' ? [] : [to - from];
    });
    const counts = bounds.map(([from, to]) => to - from);
    const begin = stridesOf(this.dims).reduce((sum, step, dim) => sum + step * bounds[dim][0], 0);
    return new ResultTensor(this.gather(counts, stridesOf(this.dims), begin), dims);
  }

  /** Dimensions in another order, such as (1, 0). */
  permute(...order: readonly number[]): ResultTensor<T> {
    const dims = order.map((dim) => this.dims[checkedPlace('permute', dim, this.dims.length)]);
    if (new Set(order).size !== this.dims.length) {
      const expected = `each of ${this.dims.length} dimensions once`;
      throw mismatch('ERR_ARGUMENT', 'permute', expected, describeValue(order.join(', ')));
    }
    const strides = stridesOf(this.dims);
    const moved = order.map((dim) => strides[checkedPlace('permute', dim, this.dims.length)]);
    return new ResultTensor(this.gather(dims, moved, 0), dims);
  }

  transpose(...order: readonly number[]): ResultTensor<T> {
    return this.permute(...order);
  }

  /** The same numbers with other dimensions, of which one may be -1: what is left. */
  view(...dims: readonly number[]): ResultTensor<T> {
    const known = dims.reduce((product, dim) => (dim === -1 ? product : product * dim), 1);
    const shape = dims.map((dim) => (dim === -1 ? this.size / known : dim));
    const isWhole = shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
    if (isWhole && shape.reduce((product, dim) => product * dim, 1) === this.size) {
      return new ResultTensor(this.data, shape);
    }
    throw mismatch('ERR_SHAPE', 'view', `dimensions of ${this.size} numbers`, `[${dims}]`);
  }

  /** Without the dimensions of length 1, or without one of them. */
  squeeze(dim?: number | null): ResultTensor<T> {
    const only = dim == null ? undefined : checkedPlace('squeeze', dim, this.dims.length);
    const kept = this.dims.filter(
      (length, i) => length !== 1 || (only !== undefined && i !== only),
    );
    return new ResultTensor(this.data, kept);
  }

  unsqueeze(dim: number): ResultTensor<T> {
    const at = checkedPlace('unsqueeze', dim, this.dims.length + 1);
    return new ResultTensor(this.data, this.dims.toSpliced(at, 0, 1));
  }

  flatten(): ResultTensor<T> {
    return this.clone().view(-1);
  }

  clone(): ResultTensor<T> {
    return new ResultTensor(this.data.slice() as T, this.dims);
  }

  add(value: number): ResultTensor<T> {
    return this.map((each) => each + value);
  }

  sub(value: number): ResultTensor<T> {
    return this.map((each) => each - value);
  }

  mul(value: number): ResultTensor<T> {
    return this.map((each) => each * value);
  }

  div(value: number): ResultTensor<T> {
    return this.map((each) => each / value);
  }

  map(of: (value: number, place: number) => number): ResultTensor<T> {
    return new ResultTensor(this.data.map(of) as T, this.dims);
  }

  /** Over a dimension, or over all numbers. */
  sum(dim?: number | null, keepdim = false): ResultTensor {
    return this.reduce(dim, keepdim, (values) => values.reduce((sum, value) => sum + value, 0));
  }

  mean(dim?: number | null, keepdim = false): ResultTensor {
    const sums = this.sum(dim, keepdim);
    return sums.div(this.size / sums.size);
  }

  /** (Σ|x|ᵖ)^(1/p). */
  norm(p: number | 'fro' = 2, dim?: number | null, keepdim = false): ResultTensor {
    const power = p === 'fro' ? 2 : p;
    return this.reduce(
      dim,
      keepdim,
      (values) => values.reduce((sum, value) => sum + Math.abs(value) ** power, 0) ** (1 / power),
    );
  }

  /** Divided by the norms over a dimension; zeros stay zeros. */
  normalize(p = 2, dim = 1): ResultTensor<T> {
    const at = checkedPlace('normalize', dim, this.dims.length);
    const { data: norms } = this.norm(p, at);
    const [, length, inner] = this.around(at);
    return this.map((value, i) => {
      const norm = norms[Math.floor(i / (length * inner)) * inner + (i % inner)];
      return norm === 0 ? value : value / norm;
    });
  }

  /** There is nothing to give back: the garbage collector has it. */
  dispose(): void {}

  private reduce(
    dim: number | null | undefined,
    keepdim: boolean,
    to: (values: number[]) => number,
  ): ResultTensor {
    if (dim == null) return new ResultTensor(Float32Array.of(to(Array.from(this.data))), []);
    const at = checkedPlace('dim', dim, this.dims.length);
    const [outer, length, inner] = this.around(at);
    const data = Float32Array.from({ length: outer * inner }, (_, i) => {
      const begin = Math.floor(i / inner) * length * inner + (i % inner);
      return to(Array.from({ length }, (_, k) => this.data[begin + k * inner]));
    });
    return new ResultTensor(data, this.dims.toSpliced(at, 1, ...(keepdim ? [1] : [])));
  }

  /** How many numbers there are outside a dimension, along it, and inside. */
  private around(dim: number): [outer: number, length: number, inner: number] {
    const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
    return [product(this.dims.slice(0, dim)), this.dims[dim], product(this.dims.slice(dim + 1))];
  }

  private gather(dims: readonly number[], strides: readonly number[], begin: number): T {
    const kind = this.data.constructor as new (length: number) => T;
    const data = new kind(dims.reduce((a, b) => a * b, 1));
    for (let i = 0; i < data.length; i++) {
      let [at, rest] = [begin, i];
      for (let dim = dims.length - 1; dim >= 0; dim--) {
        at += (rest % dims[dim]) * strides[dim];
        rest = Math.floor(rest / dims[dim]);
      }
      data[i] = this.data[at];
    }
    return data;
  }
}

function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length).fill(1);
  for (let dim = dims.length - 2; dim >= 0; dim--) strides[dim] = strides[dim + 1] * dims[dim + 1];
  return strides;
}

/** A place from the beginning. */
function checkedPlace(where: string, place: number, length: number): number {
  if (Number.isInteger(place) && place >= -length && place < length) {
    return place < 0 ? place + length : place;
  }
  const expected = `a whole number from ${-length} to ${length - 1}`;
  throw mismatch('ERR_ARGUMENT', where, expected, describeValue(place));
}

function boundsOf(slice: Slice | undefined, length: number, dim: number): [number, number] {
  if (slice == null) return [0, length];
  if (typeof slice === 'number') {
    const place = checkedPlace(`slice: dimension ${dim}`, slice, length);
    return [place, place + 1];
  }
  const bound = (given: number | null, otherwise: number): number => {
    const place = given ?? otherwise;
    return Math.min(Math.max(place < 0 ? place + length : place, 0), length);
  };
  if (Array.isArray(slice) && slice.length === 2) {
    const [from, to] = [bound(slice[0], 0), bound(slice[1], length)];
    if (Number.isInteger(from) && Number.isInteger(to) && from <= to) return [from, to];
  }
  const expected = 'null, a place, or [from, to]';
  throw mismatch('ERR_ARGUMENT', `slice: dimension ${dim}`, expected, describeValue(slice));
}

/**
 * `tensor[i]`: what is no member of a tensor is looked for here at last, behind its prototype, so that members cost no detour.
 */
Object.setPrototypeOf(
  ResultTensor.prototype,
  new Proxy(Object.prototype, {
    get: (members, key, tensor: ResultTensor) =>
      typeof key === 'string' && /^-?\d+$/.test(key)
        ? tensor.part(Number(key))
        : Reflect.get(members, key, tensor),
  }),
);
