/**
 * Modern Hopfield networks (Ramsauer et al. 2020, "Hopfield Networks is All You Need"): attention as an energy that falls. Patterns
 * are the N rows x_i of a matrix [N, d], of length at most M; a state ξ is a row of another. The paper has both as columns.
 */
import { mismatch } from '../errors.js';
import {
  checkFloat,
  checkOptions,
  checkSignal,
  checkSizes,
  describeValue,
} from '../graph/options.js';
import { type NdArray, run } from '../graph/run.js';
import { expectTensor, type Tensor, tensor } from '../graph/tensor.js';
import { attention } from '../ops/index.js';
import {
  checkScoreRange,
  dot,
  longestRow,
  type Matrix,
  matrixOf,
  type Rows,
  rowOf,
} from './rows.js';

export interface HopfieldOptions {
  /** Inverse temperature β, a positive float32; default 1. */
  beta?: number;
}

export interface RetrieveOptions extends HopfieldOptions {
  /** Updates, from 1 to 1000; default 1. */
  steps?: number;
  signal?: AbortSignal | undefined;
}

const mostSteps = 1000;

function betaOf(where: string, { beta = 1 }: HopfieldOptions): number {
  checkFloat(`${where}: beta`, beta);
  if (Math.fround(beta) > 0) return beta;
  throw mismatch('ERR_ARGUMENT', `${where}: beta`, 'a positive number', describeValue(beta));
}

/**
 * ξ_new = X·softmax(β·Xᵀξ) for each row ξ (equation 3), lazily: attention in which the patterns are keys and values.
 *
 * @param states float32 [m, d]. @param patterns float32 [N, d], both of sizes known now. @returns float32 [m, d].
 */
export function update(states: Tensor, patterns: Tensor, options: HopfieldOptions = {}): Tensor {
  checkOptions('hopfield.update', options, ['beta']);
  const scale = betaOf('hopfield.update', options);
  const offsets = (x: Tensor, name: string): Tensor => {
    expectTensor(x, `hopfield.update: ${name}`);
    const [rows] = x.shape;
    if (typeof rows === 'number') return tensor(Int32Array.of(0, rows));
    throw mismatch('ERR_SHAPE', `hopfield.update: ${name}`, 'a matrix of known size', `${rows}`);
  };
  const [segments, keySegments] = [offsets(states, 'states'), offsets(patterns, 'patterns')];
  return attention(states, patterns, patterns, { heads: 1, scale, segments, keySegments });
}

/**
 * The states before each of the updates and after the last, computed in one run of the engine.
 *
 * @param patterns [N, d]. @param states [m, d]. @returns steps + 1 arrays, float32 [m, d].
 * Throws ERR_ARGUMENT for a β that is not positive and finite, ERR_SHAPE for widths that differ or no rows, ERR_INPUT for numbers
 * that are not finite or scores beyond float32.
 */
export async function trajectory(
  patterns: Rows,
  states: Rows,
  options: RetrieveOptions = {},
): Promise<NdArray[]> {
  const where = 'hopfield.trajectory';
  checkOptions(where, options, ['beta', 'steps', 'signal']);
  const { steps = 1, signal } = options;
  checkSignal(where, signal);
  const beta = betaOf(where, options);
  checkSizes(where, { steps });
  if (steps > mostSteps)
    throw mismatch('ERR_ARGUMENT', `${where}: steps`, `at most ${mostSteps}`, `${steps}`);
  const [x, start] = matrices(where, patterns, states);
  checkScoreRange(where, beta, start, x);
  checkScoreRange(where, beta, x, x); // a state is a mean of patterns from the first update on
  const stored = tensor(x.data, x.shape);
  let state = tensor(start.data, start.shape);
  const outputs: Record<string, Tensor> = {};
  for (let step = 1; step <= steps; step++) {
    state = update(state, stored, { beta });
    outputs[step] = state;
  }
  const results = await run(outputs, { signal });
  const first = { data: start.data.slice(), shape: [...start.shape] };
  return [first, ...Object.keys(outputs).map((step) => results[step])];
}

/** The states after the last update: the last of `trajectory`, with its arguments and errors. float32 [m, d]. */
export async function retrieve(
  patterns: Rows,
  states: Rows,
  options: RetrieveOptions = {},
): Promise<NdArray> {
  return (await trajectory(patterns, states, options)).at(-1) as NdArray;
}

/**
 * E(ξ) = −lse(β, Xᵀξ) + ½ξᵀξ + β⁻¹ ln N + ½M² of each row ξ of `states` (equation 2), where lse(β, z) = β⁻¹ ln Σ_i e^{β z_i} and M is
 * the length of the longest pattern. In float64. No update raises it (theorem 1); it is at least 0, and at most 2M² for means of
 * patterns (appendix A.1).
 *
 * @param patterns [N, d]. @param states [m, d]. @returns m numbers. Errors as `trajectory` has them.
 */
export function energy(patterns: Rows, states: Rows, options: HopfieldOptions = {}): Float64Array {
  checkOptions('hopfield.energy', options, ['beta']);
  const beta = betaOf('hopfield.energy', options);
  const [x, given] = matrices('hopfield.energy', patterns, states);
  const count = x.shape[0];
  const constant = Math.log(count) / beta + longestRow(x) ** 2 / 2;
  return Float64Array.from({ length: given.shape[0] }, (_, row) => {
    const state = rowOf(given, row);
    const scores = Float64Array.from({ length: count }, (_, i) => dot(rowOf(x, i), state));
    const greatest = scores.reduce((most, score) => Math.max(most, score), -Infinity);
    const sum = scores.reduce((total, score) => total + Math.exp(beta * (score - greatest)), 0);
    return constant + dot(state, state) / 2 - greatest - Math.log(sum) / beta;
  });
}

/**
 * Δ_i = min_{j ≠ i} (x_iᵀx_i − x_iᵀx_j): how far pattern i is from the others (definition 2). In float64; Infinity for one pattern
 * alone. @param patterns [N, d]. @returns N numbers.
 */
export function separations(patterns: Rows): Float64Array {
  const x = matrixOf(patterns, 'hopfield.separations: patterns');
  const count = x.shape[0];
  return Float64Array.from({ length: count }, (_, i) => {
    const own = rowOf(x, i);
    let nearest = -Infinity;
    for (let j = 0; j < count; j++) if (j !== i) nearest = Math.max(nearest, dot(own, rowOf(x, j)));
    return dot(own, own) - nearest;
  });
}

/**
 * How far each pattern may be from the fixed point that it is retrieved as, and from one update of a state no more than
 * 1/(2βM) away from it: 2e(N − 1)M·e^{−βΔ_i} (theorem 5). `isWellSeparated` says where the theorem holds: Δ_i ≥ 2/(βN) + β⁻¹ ln(2(N −
 * 1)NβM²), by which there is a fixed point within 1/(βNM) of the pattern (appendix A.1).
 *
 * @param patterns [N, d]. @returns for each pattern; an error beyond float64, of a pattern far shorter than another, is Infinity.
 */
export function retrievalBounds(
  patterns: Rows,
  options: HopfieldOptions = {},
): { separation: number; isWellSeparated: boolean; error: number }[] {
  checkOptions('hopfield.retrievalBounds', options, ['beta']);
  const beta = betaOf('hopfield.retrievalBounds', options);
  const x = matrixOf(patterns, 'hopfield.retrievalBounds: patterns');
  const count = x.shape[0];
  const radius = longestRow(x);
  const needed = 2 / (beta * count) + Math.log(2 * (count - 1) * count * beta * radius ** 2) / beta;
  return Array.from(separations(patterns), (separation) => ({
    separation,
    isWellSeparated: separation >= needed,
    error: count === 1 ? 0 : 2 * Math.E * (count - 1) * radius * Math.exp(-beta * separation),
  }));
}

/**
 * How many random patterns on a sphere of radius K·√(d − 1) are stored with probability 1 − p at least: √p·c^{(d − 1)/4}, where
 * c = b / W₀(e^{a + ln b}), a = 2/(d − 1)·(1 + ln(2βK²p(d − 1))) and b = 2K²β/5, wherever c ≥ (2/√p)^{4/(d − 1)} (theorem 3);
 * `holds` says whether that is so. Exponential in d: `patterns`, and for the smallest p·K²·β `base`, are Infinity beyond float64.
 *
 * @param options.dimension d, at least 2. @param options.failure p, above 0 and at most 1. @param options.radius K, positive.
 */
export function capacity(
  options: HopfieldOptions & { dimension: number; failure: number; radius: number },
): { base: number; patterns: number; holds: boolean } {
  const where = 'hopfield.capacity';
  checkOptions(where, options, ['beta', 'dimension', 'failure', 'radius']);
  const beta = betaOf(where, options);
  const { dimension, failure, radius } = options;
  checkSizes(where, { dimension });
  checkFloat(`${where}: failure`, failure);
  checkFloat(`${where}: radius`, radius);
  // What float32 has as 0 would not do in the logarithms.
  const isPositive = Math.fround(failure) > 0 && Math.fround(radius) > 0;
  if (!(dimension >= 2 && isPositive && failure <= 1)) {
    const found = `${dimension}, ${failure} and ${radius}`;
    const expected = 'a dimension of at least 2, a failure in (0, 1] and a positive radius';
    throw mismatch('ERR_ARGUMENT', where, expected, found);
  }
  const square = radius ** 2;
  const a = (2 / (dimension - 1)) * (1 + Math.log(2 * beta * square * failure * (dimension - 1)));
  const b = (2 / 5) * square * beta;
  const base = b / lambertOfExponential(a + Math.log(b));
  return {
    base,
    patterns: Math.sqrt(failure) * base ** ((dimension - 1) / 4),
    holds: base >= (2 / Math.sqrt(failure)) ** (4 / (dimension - 1)),
  };
}

/** W₀(e^y), the w > 0 for which w + ln w = y, by Newton's method on ln w, which does not overflow. */
function lambertOfExponential(y: number): number {
  let logarithm = y > 1 ? Math.log(y) : y;
  for (let i = 0; i < 100; i++) {
    const w = Math.exp(logarithm);
    const change = (w + logarithm - y) / (w + 1);
    logarithm -= change;
    if (Math.abs(change) <= 1e-16 * Math.max(1, Math.abs(logarithm))) break;
  }
  return Math.exp(logarithm);
}

function matrices(where: string, patterns: Rows, states: Rows): [patterns: Matrix, states: Matrix] {
  const x = matrixOf(patterns, `${where}: patterns`);
  const given = matrixOf(states, `${where}: states`);
  if (given.shape[1] === x.shape[1]) return [x, given];
  const expected = `${x.shape[1]} columns, as the patterns have`;
  throw mismatch('ERR_SHAPE', `${where}: states`, expected, `${given.shape[1]}`);
}
