/** What `particles` is asked for, checked. */
import { mismatch } from '../../errors.js';
import {
  checkChoice,
  checkOptions,
  checkSignal,
  checkSizes,
  describeValue,
} from '../../graph/options.js';
import type { Dynamics, Matrix, SystemOptions } from './attention_field.js';
import { normalize } from './dormand_prince.js';
import { normalNumbers, orthogonalPoints, streams, uniformPoints } from './start.js';

/** c: c times the identity; `random`: independent N(0, 1/d) entries; or rows of numbers, d × d. */
export type MatrixOption = number | 'random' | readonly (readonly number[])[];

/** What is known of the particles at one time. */
export interface ParticleSample {
  readonly time: number;
  /** Mean of ⟨x_i, x_j⟩ over all i ≠ j; 1 where there is one particle. */
  readonly meanInnerProduct: number;
  readonly energy: number;
  readonly clusters: number;
  /** Float64 [n·d], unit vectors one after the other. Overwritten after the call. */
  readonly positions: Float64Array;
}

export interface ParticleOptions {
  /** How many particles. */
  n: number;
  /** They are on the sphere S^{d−1}. */
  d: number;
  /** Inverse temperature; any finite number. */
  beta: number;
  /** How long they are followed, from 0 on. */
  time: number;
  /** Self-attention, or the unnormalised one; default `sa`. */
  dynamics?: Dynamics;
  /** Where they start: `uniform` (default), `orthogonal` (n ≤ d), or points [n][d] that are put onto the sphere. */
  init?: 'uniform' | 'orthogonal' | readonly (readonly number[])[];
  /** Of starts and random matrices; default 0. */
  seed?: number;
  /** Q, K and V; default the identity. */
  query?: MatrixOption;
  key?: MatrixOption;
  value?: MatrixOption;
  /** The most that a particle's local error may be in one step, as a distance; default 10⁻⁶, raised to what float32 reaches. */
  tolerance?: number;
  /** Times at which is measured, 2 to 100,000, evenly from 0 to `time`; default 101. Where `time` is 0, there is one. */
  samples?: number;
  /** Particles not farther apart belong to one cluster; default 0.01. */
  clusterThreshold?: number;
  /**
   * Steps, accepted or not, before ERR_ARGUMENT says that the time is too long; default 100,000. It says so after 1,000 steps already
   * where ten times as many, each as long as the longest up to then, would not reach the end.
   */
  maxSteps?: number;
  signal?: AbortSignal;
  /** After each step; `evaluations`: how often all velocities were computed up to then. */
  onProgress?: (progress: { time: number; total: number; evaluations: number }) => void;
  /** At each time of measurement; awaited. */
  onSample?: (sample: ParticleSample) => void | Promise<void>;
}

const names: readonly (keyof ParticleOptions)[] = [
  'n',
  'd',
  'beta',
  'time',
  'dynamics',
  'init',
  'seed',
  'query',
  'key',
  'value',
  'tolerance',
  'samples',
  'clusterThreshold',
  'maxSteps',
  'signal',
  'onProgress',
  'onSample',
];

/** Numbers that positions are made of: a dozen float64 arrays of them must fit into memory. */
const mostNumbers = 2 ** 25;
const mostColumns = 2 ** 12;
const mostSamples = 100_000;
/** Scores beyond this are rounded by a tenth and more in float32. */
const greatestScore = 1e6;

export interface CheckedOptions {
  readonly system: SystemOptions;
  readonly start: Float64Array;
  readonly time: number;
  readonly tolerance: number;
  readonly samples: number;
  readonly clusterThreshold: number;
  readonly maxSteps: number;
}

export function checkParticles(options: ParticleOptions): CheckedOptions {
  checkOptions('particles', options, names);
  const { n, d, beta, time, dynamics = 'sa', seed = 0, clusterThreshold = 0.01 } = options;
  const { samples = 101, maxSteps = 100_000, tolerance = 1e-6 } = options;
  checkSizes('particles', { n, d, samples, maxSteps });
  if (samples < 2 || samples > mostSamples) {
    throw wrong('samples', `at least 2 and at most ${mostSamples}`, `${samples}`);
  }
  checkSignal('particles', options.signal);
  for (const name of ['onProgress', 'onSample'] as const) {
    const call: unknown = options[name];
    if (call === undefined || typeof call === 'function') continue;
    throw wrong(name, 'a function', describeValue(call));
  }
  checkNumber('beta', beta);
  checkNumber('time', time, 0);
  checkNumber('tolerance', tolerance, Number.MIN_VALUE);
  checkNumber('clusterThreshold', clusterThreshold, 0);
  checkChoice('particles: dynamics', dynamics, ['sa', 'usa']);
  if (!(Number.isSafeInteger(seed) && seed >= 0)) {
    throw wrong('seed', 'a whole number from 0 to 2^53 − 1', describeValue(seed));
  }
  if (d > mostColumns) throw wrong('d', `at most ${mostColumns}`, `${d}`);
  if (n * d > mostNumbers) throw wrong('n·d', `at most ${mostNumbers}`, `${n * d}`);
  const [query, key, value] = (['query', 'key', 'value'] as const).map((name) =>
    matrixOf(name, options[name] ?? 1, d, seed),
  ) as [Matrix, Matrix, Matrix];
  const steepness = Math.abs(beta) * norm(query, d) * norm(key, d);
  if (!(steepness <= greatestScore)) {
    throw wrong('beta', `|β|·‖Q‖·‖K‖ of at most ${greatestScore}`, `${steepness}`);
  }
  return {
    system: { n, d, beta, dynamics, query, key, value },
    start: startOf(options.init ?? 'uniform', n, d, seed),
    time,
    tolerance: Math.max(tolerance, leastTolerance(steepness)),
    samples,
    clusterThreshold,
    maxSteps,
  };
}

/**
 * A velocity's relative error is that of its weights: rounding of scores, which are up to |β|·‖Q‖·‖K‖, and of sums, each 2⁻²⁴. The
 * error estimate of a step whose particles move by at most 1 cannot be told from this below a tenth of it.
 */
const leastTolerance = (steepness: number): number => 2e-8 * (1 + steepness);

function matrixOf(
  name: 'query' | 'key' | 'value',
  option: MatrixOption,
  d: number,
  seed: number,
): Matrix {
  if (typeof option === 'number') {
    checkNumber(name, option);
    return { factor: option };
  }
  if (option === 'random') {
    const entries = normalNumbers(d * d, seed, streams[name]);
    return { factor: 1, entries: entries.map((entry) => entry / Math.sqrt(d)) };
  }
  return { factor: 1, entries: rowsOf(name, option, d, d) };
}

/** A bound of the spectral norm, exact for multiples of the identity: √(‖M‖₁·‖M‖∞). */
function norm({ factor, entries }: Matrix, d: number): number {
  if (!entries) return Math.abs(factor);
  const [rows, columns] = [new Float64Array(d), new Float64Array(d)];
  entries.forEach((entry, i) => {
    rows[Math.floor(i / d)] += Math.abs(entry);
    columns[i % d] += Math.abs(entry);
  });
  const most = (values: Float64Array): number => values.reduce((a, b) => Math.max(a, b), 0);
  return Math.sqrt(most(rows) * most(columns));
}

function startOf(
  init: NonNullable<ParticleOptions['init']>,
  n: number,
  d: number,
  seed: number,
): Float64Array {
  if (init === 'uniform') return uniformPoints(n, d, seed);
  if (init === 'orthogonal') {
    if (n > d) throw wrong('init', `n ≤ d for orthogonal particles`, `n = ${n}, d = ${d}`);
    return orthogonalPoints(n, d, seed);
  }
  const x = rowsOf('init', init, n, d);
  for (let row = 0; row < n; row++) {
    const length = Math.hypot(...x.subarray(row * d, (row + 1) * d));
    if (!(length > 1e-150 && length < 1e150)) {
      throw wrong(`init[${row}]`, 'a vector with a direction', `one of length ${length}`);
    }
  }
  normalize(x, d);
  return x;
}

/** Rows of finite float32 numbers as one array. */
function rowsOf(name: string, given: unknown, rows: number, columns: number): Float64Array {
  const expected = `${rows} rows of ${columns} numbers`;
  if (!Array.isArray(given)) throw wrong(name, expected, describeValue(given));
  if (given.length !== rows) throw wrong(name, expected, `${given.length} rows`);
  const result = new Float64Array(rows * columns);
  // By index: forEach would pass over the holes of a sparse array.
  for (let at = 0; at < rows; at++) {
    const row: unknown = given[at];
    const isRow = Array.isArray(row) || row instanceof Float32Array || row instanceof Float64Array;
    if (!isRow || row.length !== columns) {
      throw wrong(`${name}[${at}]`, `${columns} numbers`, describeValue(row));
    }
    for (let i = 0; i < columns; i++) {
      checkNumber(`${name}[${at}][${i}]`, row[i]);
      result[at * columns + i] = row[i];
    }
  }
  return result;
}

function checkNumber(name: string, value: unknown, least = -Infinity): void {
  const isNumber = typeof value === 'number' && Number.isFinite(Math.fround(value));
  if (isNumber && value >= least) return;
  const from = least === -Infinity ? '' : least === 0 ? ' of at least 0' : ' above 0';
  throw wrong(name, `a finite number${from}`, describeValue(value));
}

const wrong = (name: string, expected: string, found: string) =>
  mismatch('ERR_ARGUMENT', `particles: ${name}`, expected, found);
