/**
 * The embedded Runge–Kutta pair of Dormand & Prince (1980, "A family of embedded Runge–Kutta formulae", RK5(4)7M) with
 * step control and its interpolant of fourth order (Hairer, Nørsett & Wanner 1993, "Solving Ordinary Differential
 * Equations I", sections II.4 to II.6), for particles on the unit sphere.
 */
import { HeddleError } from '../../errors.js';

/** Writes the velocities at `x` into `out`; both float64 [n·d], particle by particle. */
export type VelocityField = (x: Float64Array, out: Float64Array) => Promise<void>;

export interface IntegrationOptions {
  /** Columns of a particle. */
  readonly d: number;
  readonly end: number;
  /** The most that the local error of any particle may be in one step, as a distance. */
  readonly tolerance: number;
  /** Steps, accepted or not, before it gives up; earlier where the end is out of reach of ten times as many. */
  readonly maxSteps: number;
}

export interface IntegrationStep {
  readonly from: number;
  readonly to: number;
  /** How often the velocities were computed since the start. */
  readonly evaluations: number;
  readonly rejected: number;
  /** Writes the positions at a time of this step, on the sphere. Valid until the next step is asked for. */
  at(time: number, out: Float64Array): void;
}

/** Rows 2 to 7 of the tableau; the last is also the solution of fifth order, so that its stage is the next step's first. */
const stages: readonly (readonly number[])[] = [
  [1 / 5],
  [3 / 40, 9 / 40],
  [44 / 45, -56 / 15, 32 / 9],
  [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
  [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
  [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
];
/** Fifth-order solution less the fourth-order one. */
const errorWeights = [
  71 / 57600,
  0,
  -71 / 16695,
  71 / 1920,
  -17253 / 339200,
  22 / 525,
  -1 / 40,
] as const;
const denseWeights = [
  -12715105075 / 11282082432,
  0,
  87487479700 / 32700410799,
  -10690763975 / 1880347072,
  701980252875 / 199316789632,
  -1453857185 / 822651844,
  69997945 / 29380423,
] as const;

const safety = 0.9;
const [slowest, fastest] = [0.2, 5];
/** What is not yet judged by. */
const fewSteps = 1000;

/**
 * Follows ẋ = field(x) from time 0 to `end`, a step at a time. The field must be tangent to the spheres |x_i| = const and
 * depend on directions x_i / |x_i| alone: then exact solutions stay on the unit sphere, and putting a step's result back onto
 * it changes neither the order nor the next step's first stage.
 * @param start float64 [n·d], unit vectors; not changed.
 */
export async function* integrate(
  field: VelocityField,
  start: Float64Array,
  { d, end, tolerance, maxSteps }: IntegrationOptions,
): AsyncGenerator<IntegrationStep> {
  const size = start.length;
  const x = start.slice();
  const next = new Float64Array(size);
  const error = new Float64Array(size);
  const k = Array.from({ length: 7 }, () => new Float64Array(size));
  const interpolant = new Float64Array(size);
  await field(x, k[0]);
  let evaluations = 1;
  let rejected = 0;
  let time = 0;
  let h = firstStep(k[0], d, end, tolerance);
  let longestStep = 0;
  for (let count = 0; time < end; count++) {
    // Steps lengthen as particles come to rest, but seldom tenfold.
    const isHopeless = count >= fewSteps && (end - time) / longestStep > 10 * maxSteps;
    if (count === maxSteps || isHopeless || !(time + h > time)) {
      throw tooStiff(time, end, h, count);
    }
    const isLast = time + h >= end * (1 - 1e-12);
    if (isLast) h = end - time;
    for (const [i, row] of stages.entries()) {
      combine(next, x, k, row, h);
      await field(next, k[i + 1]);
    }
    evaluations += stages.length;
    combine(error, undefined, k, errorWeights, h);
    const ratio = longest(error, d) / tolerance;
    const factor = Math.min(fastest, Math.max(slowest, safety * ratio ** -0.2)); // ∞ where ratio is 0
    if (ratio > 1) {
      rejected++;
      h *= factor;
      continue;
    }
    combine(interpolant, undefined, k, denseWeights, h);
    const [from, to, width] = [time, isLast ? end : time + h, h];
    yield {
      from,
      to,
      evaluations,
      rejected,
      at(when, out) {
        const s = (when - from) / width;
        const r = 1 - s;
        for (let i = 0; i < size; i++) {
          const rise = next[i] - x[i];
          const bend = width * k[0][i] - rise;
          const rest = rise - width * k[6][i] - bend + r * interpolant[i];
          out[i] = x[i] + s * (rise + r * (bend + s * rest));
        }
        normalize(out, d);
      },
    };
    x.set(next);
    normalize(x, d);
    [k[0], k[6]] = [k[6], k[0]];
    time = to;
    longestStep = Math.max(longestStep, width);
    h *= factor;
  }
}

/** Puts each particle back onto the unit sphere. */
export function normalize(x: Float64Array, d: number): void {
  for (let at = 0; at < x.length; at += d) {
    let square = 0;
    for (let i = at; i < at + d; i++) square += x[i] ** 2;
    const factor = 1 / Math.sqrt(square);
    for (let i = at; i < at + d; i++) x[i] *= factor;
  }
}

/** out = x + h·Σ weights[j]·k[j], without x: h·Σ. */
function combine(
  out: Float64Array,
  x: Float64Array | undefined,
  k: readonly Float64Array[],
  weights: readonly number[],
  h: number,
): void {
  if (x) out.set(x);
  else out.fill(0);
  for (const [j, weight] of weights.entries()) {
    if (weight === 0) continue;
    const [stage, factor] = [k[j], h * weight];
    for (let i = 0; i < out.length; i++) out[i] += factor * stage[i];
  }
}

/** The length of the longest of the vectors; NaN where one has it. */
function longest(vectors: Float64Array, d: number): number {
  let most = 0;
  for (let at = 0; at < vectors.length; at += d) {
    let square = 0;
    for (let i = at; i < at + d; i++) square += vectors[i] ** 2;
    if (!(square <= most)) most = square;
  }
  return Math.sqrt(most);
}

/** A step in which a particle goes about as far as errors of the tolerance allow; the control does the rest. */
function firstStep(velocity: Float64Array, d: number, end: number, tolerance: number): number {
  const speed = longest(velocity, d);
  return speed === 0 ? end : Math.min(end, (0.5 * tolerance ** 0.2) / speed);
}

function tooStiff(time: number, end: number, h: number, count: number): HeddleError {
  const found = `${count} steps to t = ${time}, the last ${h} long`;
  return new HeddleError(
    'ERR_ARGUMENT',
    `particles: time ${end} is too long for velocities as these: ${found}; take a shorter time, a smaller beta or value, or dynamics 'sa' in the place of 'usa'`,
    { where: 'particles: time', found },
  );
}
