import { mismatch } from '../errors.js';
import { describeValue } from '../graph/options.js';
import { sigmoid } from './logits.js';

export type ResultData = Float32Array | Int8Array | Uint8Array | Int32Array | BigInt64Array;

/** What an array has in one place. */
export type ElementOf<T extends ResultData> = T extends BigInt64Array ? bigint : number;

const kinds = {
  float32: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
} as const;

/** Numbers of a tensor, as they are named. */
export type ResultType = keyof typeof kinds;

/** Of one dimension: all of it (null), one place, which the dimension then vanishes with, or [from, to); negative ones count from its end. */
export type Slice = number | readonly [from: number | null, to: number | null] | null;

/**
 * A dense array with the members of @huggingface/transformers' Tensor that its programs use. `tensor[i]` is the part at
 * place i of the first dimension, and so are the parts that iterating gives; both share the data, as do `view`, `squeeze` and
 * `unsqueeze`. All others give new data. Elements of int64 are bigints; sums, means and norms are float32.
 * @throws ERR_ARGUMENT for dimensions and places that there are not, ERR_SHAPE for shapes that do not fit.
 */
export class ResultTensor<T extends ResultData = Float32Array> {
  readonly data: T;
  readonly dims: readonly number[];
  readonly location = 'cpu';
  readonly [place: number]: ResultTensor<T>;

  /** @param data an array of the type's own kind, which is kept, or any list of numbers. */
  constructor(
    readonly type: ResultType,
    data: T | readonly (number | bigint)[],
    dims: readonly number[],
  ) {
    if (typeof type !== 'string' || !Object.hasOwn(kinds, type)) {
      const expected = `one of the types ${Object.keys(kinds).join(', ')}`;
      throw mismatch('ERR_ARGUMENT', 'Tensor', expected, describeValue(type));
    }
    this.data = dataOf(type, data) as T;
    const size = Array.isArray(dims) ? dims.reduce((product, dim) => product * dim, 1) : undefined;
    if (size !== this.data.length || !dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
      const found = Array.isArray(dims) ? `[${dims}]` : describeValue(dims);
      throw mismatch('ERR_SHAPE', 'Tensor', `dimensions of ${this.data.length} numbers`, found);
    }
    this.dims = dims;
  }

  /** Of the type that the array says. */
  static of<T extends ResultData>(data: T, dims: readonly number[]): ResultTensor<T> {
    return new ResultTensor(typeOf(data), data, dims);
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
  item(): ElementOf<T> {
    if (this.size === 1) return this.data[0] as ElementOf<T>;
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
    return ResultTensor.of(this.data.subarray(i * width, (i + 1) * width) as T, rest);
  }

  slice(...slices: readonly (Slice | undefined)[]): ResultTensor<T> {
    const bounds = this.dims.map((length, dim) => boundsOf(slices[dim], length, dim));
    const dims = this.dims.flatMap((_, dim) => {
      const [from, to] = bounds[dim];
      return typeof slices[dim] === 'number' ? [] : [to - from];
    });
    const counts = bounds.map(([from, to]) => to - from);
    const begin = stridesOf(this.dims).reduce((sum, step, dim) => sum + step * bounds[dim][0], 0);
    return ResultTensor.of(this.gather(counts, stridesOf(this.dims), begin), dims);
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
    return ResultTensor.of(this.gather(dims, moved, 0), dims);
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
      return ResultTensor.of(this.data, shape);
    }
    throw mismatch('ERR_SHAPE', 'view', `dimensions of ${this.size} numbers`, `[${dims}]`);
  }

  /** Without the dimensions of length 1, or without one of them. */
  squeeze(dim?: number | null): ResultTensor<T> {
    const only = dim == null ? undefined : checkedPlace('squeeze', dim, this.dims.length);
    const kept = this.dims.filter(
      (length, i) => length !== 1 || (only !== undefined && i !== only),
    );
    return ResultTensor.of(this.data, kept);
  }

  unsqueeze(dim: number): ResultTensor<T> {
    const at = checkedPlace('unsqueeze', dim, this.dims.length + 1);
    return ResultTensor.of(this.data, this.dims.toSpliced(at, 0, 1));
  }

  flatten(): ResultTensor<T> {
    return this.clone().view(-1);
  }

  clone(): ResultTensor<T> {
    return ResultTensor.of(this.data.slice() as T, this.dims);
  }

  add(value: ElementOf<T>): ResultTensor<T> {
    return this.map((each) => ((each as number) + (value as number)) as ElementOf<T>);
  }

  sub(value: ElementOf<T>): ResultTensor<T> {
    return this.map((each) => ((each as number) - (value as number)) as ElementOf<T>);
  }

  mul(value: ElementOf<T>): ResultTensor<T> {
    return this.map((each) => ((each as number) * (value as number)) as ElementOf<T>);
  }

  div(value: ElementOf<T>): ResultTensor<T> {
    return this.map((each) => ((each as number) / (value as number)) as ElementOf<T>);
  }

  map(of: (value: ElementOf<T>, place: number) => ElementOf<T>): ResultTensor<T> {
    const data = this.clone().data as unknown as ElementOf<T>[];
    data.forEach((value, place) => {
      data[place] = of(value, place);
    });
    return ResultTensor.of(data as unknown as T, this.dims);
  }

  /** 1 / (1 + e⁻ˣ), as float32. */
  sigmoid(): ResultTensor {
    return this.to('float32').map(sigmoid);
  }

  /** The same numbers in another type. */
  to<K extends ResultType>(type: K): ResultTensor<InstanceType<(typeof kinds)[K]>> {
    const { data } = this.clone();
    const list = type === this.type ? data : Array.from(data as ArrayLike<number | bigint>);
    return new ResultTensor(type, list, this.dims) as never;
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
      return norm === 0 ? value : (((value as number) / norm) as ElementOf<T>);
    });
  }

  /** There is nothing to give back: the garbage collector has it. */
  dispose(): void {}

  private reduce(
    dim: number | null | undefined,
    keepdim: boolean,
    to: (values: number[]) => number,
  ): ResultTensor {
    if (dim == null)
      return ResultTensor.of(
        Float32Array.of(to(Array.from(this.data as ArrayLike<unknown>, Number))),
        [],
      );
    const at = checkedPlace('dim', dim, this.dims.length);
    const [outer, length, inner] = this.around(at);
    const data = Float32Array.from({ length: outer * inner }, (_, i) => {
      const begin = Math.floor(i / inner) * length * inner + (i % inner);
      return to(Array.from({ length }, (_, k) => Number(this.data[begin + k * inner])));
    });
    return ResultTensor.of(data, this.dims.toSpliced(at, 1, ...(keepdim ? [1] : [])));
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

/** @huggingface/transformers' name of it; of any type, where nothing more is said. */
export type Tensor<T extends ResultData = ResultData> = ResultTensor<T>;
export const Tensor = ResultTensor;

function typeOf(data: ResultData): ResultType {
  const names = Object.keys(kinds) as ResultType[];
  return names.find((name) => data instanceof kinds[name]) as ResultType;
}

function dataOf(type: ResultType, data: ResultData | readonly (number | bigint)[]): ResultData {
  if (data instanceof kinds[type]) return data;
  if (!Array.isArray(data)) {
    const expected = `an array of numbers, or a ${kinds[type].name}`;
    throw mismatch('ERR_ARGUMENT', `Tensor: data of ${type}`, expected, describeValue(data));
  }
  try {
    if (type === 'int64') return BigInt64Array.from(data, BigInt);
  } catch {
    throw mismatch('ERR_ARGUMENT', 'Tensor: data of int64', 'whole numbers', 'something else');
  }
  return kinds[type].from(data.map(Number));
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
