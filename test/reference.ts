/** Runs graphs on the float64 interpreter in this thread, where tests can see its full precision. */
import { readStateSource } from '../lib/checkpoints/dtype.js';
import { trace } from '../lib/graph/program.js';
import { runReference } from '../lib/graph/reference.js';
import type { Feeds } from '../lib/graph/run.js';
import type { SymbolicDim } from '../lib/graph/shape.js';
import type { Tensor } from '../lib/graph/tensor.js';

export async function reference(
  outputs: Readonly<Record<string, Tensor>>,
  feeds: Feeds = {},
  sizes: ReadonlyMap<SymbolicDim, number> = new Map(),
): Promise<Record<string, Float64Array>> {
  const { program, states, symbols } = trace(outputs);
  const contents = await Promise.all(
    states.map((state) => readStateSource(state.source, state.dtype, state.shape)),
  );
  const actual = symbols.map((symbol) => sizes.get(symbol) ?? 0);
  const inputs = program.inputs.map(({ name, data }) => data ?? feeds[name]);
  const results = runReference(program, actual, inputs, contents);
  return Object.fromEntries(program.outputs.map(({ name }, i) => [name, results[i]]));
}

/** Index of the first element outside |a − b| ≤ absolute + relative·|b|, and how far it is; NaN only equals NaN. */
export function firstDifference(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  absolute: number,
  relative: number,
): string | undefined {
  if (a.length !== b.length) return `${a.length} elements instead of ${b.length}`;
  for (let i = 0; i < b.length; i++) {
    const same = Object.is(a[i], b[i]) || a[i] === b[i];
    const close = Math.abs(a[i] - b[i]) <= absolute + relative * Math.abs(b[i]);
    if (!same && !close) return `[${i}]: ${a[i]} instead of ${b[i]}`;
  }
  return undefined;
}
