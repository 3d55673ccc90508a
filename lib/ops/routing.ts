/** Of each assignment of a row to an expert, in the order of experts: see native/kernels/mixture.h. */
export interface Routing {
  readonly assignments: Float64Array;
  readonly experts: Float64Array;
  readonly weights: Float64Array;
  /** By assignment. */
  readonly places: Float64Array;
}

export function routingOf({ data }: { readonly data: Float64Array | Int32Array }): Routing {
  const count = data.length / 4;
  const list = (i: number): Float64Array =>
    (data as Float64Array).subarray(i * count, (i + 1) * count);
  return { assignments: list(0), experts: list(1), weights: list(2), places: list(3) };
}
