/** A dense array in the shape that @huggingface/transformers gives its results. */
export class ResultTensor<T extends Float32Array | Int8Array | Uint8Array = Float32Array> {
  readonly type: 'float32' | 'int8' | 'uint8';

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
}
