/** What `particles` does with what it is given. */
import { describe, expect, it } from 'vitest';
import { AttentionField } from '../../../lib/analysis/particles/attention_field.js';
import type { ParticleOptions } from '../../../lib/analysis/particles/options.js';
import { particles } from '../../../lib/analysis/particles/particles.js';
import { orthogonalPoints, uniformPoints } from '../../../lib/analysis/particles/start.js';
import { HeddleError } from '../../../lib/errors.js';

const some: ParticleOptions = { n: 8, d: 3, beta: 1, time: 1, samples: 3 };

/** About an axis, for ever. */
const turn = [
  [0, -1, 0],
  [1, 0, 0],
  [0, 0, 1],
];

const wrong: [name: string, options: Record<string, unknown>, says: RegExp][] = [
  ['no particle', { n: 0 }, /n: expected a whole number from 1/],
  ['half a particle', { n: 1.5 }, /particles: n/],
  ['no dimension', { d: 0 }, /d: expected a whole number from 1/],
  ['too much', { n: 2 ** 20, d: 2 ** 10 }, /n·d/],
  ['β NaN', { beta: Number.NaN }, /beta: expected a finite number/],
  ['β infinite', { beta: Infinity }, /beta/],
  ['β beyond float32', { beta: 1e300 }, /beta/],
  ['β beyond scores', { beta: 2e6 }, /‖Q‖·‖K‖ of at most 1000000/],
  ['a wide matrix', { d: 5000 }, /d: expected at most 4096/],
  ['velocities too great', { value: 3e38, beta: 0, maxSteps: 20 }, /finite|time/],
  ['no β', { beta: undefined }, /beta/],
  ['a time before the start', { time: -1 }, /time/],
  ['no end', { time: Infinity }, /time/],
  ['other dynamics', { dynamics: 'ising' }, /dynamics: expected one of 'sa', 'usa'/],
  ['another start', { init: 'random' }, /init/],
  ['too many orthogonal ones', { init: 'orthogonal' }, /n ≤ d.*n = 8, d = 3/],
  ['too few points', { init: [[1, 0, 0]] }, /init: expected 8 rows of 3/],
  ['a point of no direction', { n: 1, init: [[0, 0, 0]] }, /init\[0\]/],
  ['a point that is none', { n: 1, init: [[0, 'x', 0]] }, /init\[0\]\[1\]/],
  ['another seed', { seed: -1 }, /seed/],
  ['a matrix of another size', { query: [[1]] }, /query: expected 3 rows/],
  ['a factor NaN', { value: Number.NaN }, /value/],
  ['a tolerance of 0', { tolerance: 0 }, /tolerance/],
  ['one sample', { samples: 1 }, /samples/],
  ['samples without end', { samples: 1e6 }, /samples.*at most 100000/],
  ['rows with holes', { query: new Array(3) }, /query\[0\]: expected 3 numbers/],
  ['a row with holes', { query: [[1, 0, 0], [0, 1, 0], new Array(3)] }, /query\[2\]\[0\]/],
  ['a signal that is none', { signal: {} }, /signal: expected an AbortSignal/],
  ['a listener that is none', { onSample: 1 }, /onSample: expected a function, found 1/],
  ['V beyond float32', { value: 1e38, maxSteps: 20 }, /smaller beta or value, or .*place of 'usa'/],
  ['a time out of reach', { time: 1e12, query: turn, key: 1, value: turn }, /too long.*1000 steps/],
  ['a negative threshold', { clusterThreshold: -1 }, /clusterThreshold/],
  ['an unknown option', { betas: 1 }, /betas/],
  ['USA beyond float64', { beta: 2000, dynamics: 'usa' }, /beta/],
  ['a time too long', { beta: 60, dynamics: 'usa', maxSteps: 50 }, /time/],
];

describe('particles', () => {
  it.each(wrong)('refuses %s', async (_, options, says) => {
    const error = await particles({ ...some, ...options } as ParticleOptions).catch((e) => e);
    expect(error).toBeInstanceOf(HeddleError);
    expect(error.code).toBe('ERR_ARGUMENT');
    expect(error.message).toMatch(says);
  });

  it('gives the same run for the same seed, and another for another', async () => {
    const matrices = { query: 'random', key: 'random', value: 'random' } as const;
    const runOf = async (seed: number) =>
      [...(await particles({ ...some, ...matrices, seed })).positions].join();
    expect(await runOf(3)).toBe(await runOf(3));
    expect(await runOf(3)).not.toBe(await runOf(4));
  });

  it('takes a factor for a multiple of the identity', async () => {
    const diagonal = (c: number): number[][] =>
      [0, 1, 2].map((i) => [0, 1, 2].map((j) => (i === j ? c : 0)));
    for (const dynamics of ['sa', 'usa'] as const) {
      const byFactor = await particles({ ...some, dynamics, query: 2, key: -0.5, value: 3 });
      const whole = { query: diagonal(2), key: diagonal(-0.5), value: diagonal(3) };
      const byMatrix = await particles({ ...some, dynamics, ...whole });
      byFactor.positions.forEach((x, i) => {
        expect(byMatrix.positions[i]).toBeCloseTo(x, 5);
      });
      expect(byMatrix.energy.at(-1)).toBeCloseTo(byFactor.energy.at(-1) as number, 5);
    }
  });

  it('keeps one particle, and particles on S⁰, where they are', async () => {
    const one = await particles({ ...some, n: 1 });
    expect(one).toMatchObject({ meanInnerProduct: [1, 1, 1], clusters: [1, 1, 1] });
    expect(one.energy[0]).toBeCloseTo(Math.E / 2, 6);
    const ends = await particles({ ...some, n: 5, d: 1, init: [[1], [-2], [1], [3], [-1]] });
    expect([...ends.positions]).toEqual([1, -1, 1, 1, -1]);
    expect(ends.clusters).toEqual([2, 2, 2]);
  });

  it('measures once where there is no time', async () => {
    const run = await particles({ ...some, time: 0 });
    expect(run).toMatchObject({ times: [0], steps: 0, evaluations: 0, plateaus: [] });
    expect(run.positions).toEqual(uniformPoints(8, 3, 0));
  });

  it('raises a tolerance that float32 does not reach', async () => {
    const { tolerance } = await particles({ ...some, beta: 9, tolerance: 1e-15 });
    expect(tolerance).toBeGreaterThan(1e-8);
    expect(tolerance).toBeLessThan(1e-6);
  });

  it('tells how far it is, and ends when it is asked to', async () => {
    const times: number[] = [];
    const onProgress = ({ time, total }: { time: number; total: number }): void => {
      expect(total).toBe(1);
      times.push(time);
    };
    const run = await particles({ ...some, onProgress });
    expect(times).toHaveLength(run.steps);
    expect(times.at(-1)).toBe(1);
    const controller = new AbortController();
    const stop = (): void => controller.abort(new Error('enough'));
    const { signal } = controller;
    await expect(particles({ ...some, signal, onProgress: stop })).rejects.toThrow('enough');
    await expect(particles({ ...some, signal })).rejects.toThrow('enough');
  });
});

describe('starts', () => {
  it('are orthogonal unit vectors, others for another seed', () => {
    const [n, d] = [7, 11];
    const x = orthogonalPoints(n, d, 5);
    for (let a = 0; a < n; a++) {
      for (let b = 0; b < n; b++) {
        let sum = 0;
        for (let i = 0; i < d; i++) sum += (x[a * d + i] as number) * (x[b * d + i] as number);
        expect(sum).toBeCloseTo(a === b ? 1 : 0, 14);
      }
    }
    expect(x).not.toEqual(orthogonalPoints(n, d, 6));
  });

  it('are uniform: mean 0, E[x xᵀ] = I/d', () => {
    const [n, d] = [20_000, 3];
    const x = uniformPoints(n, d, 1);
    for (let i = 0; i < d; i++) {
      for (let j = 0; j < d; j++) {
        let [sum, product] = [0, 0];
        for (let row = 0; row < n; row++) {
          sum += (x[row * d + i] as number) / n;
          product += ((x[row * d + i] as number) * (x[row * d + j] as number)) / n;
        }
        expect(Math.abs(sum)).toBeLessThan(0.02);
        expect(Math.abs(product - (i === j ? 1 / d : 0))).toBeLessThan(0.02);
      }
    }
  });
});

describe('AttentionField', () => {
  it.each(['sa', 'usa'] as const)(
    'computes the velocities of the definition: %s',
    async (dynamics) => {
      for (const [n, d, beta] of [
        [1, 2, 1],
        [65, 3, 5],
        [130, 9, -3],
        [64, 16, 0],
      ] as const) {
        const x = uniformPoints(n, d, n);
        const identity = { factor: 1 };
        const system = { n, d, beta, dynamics, query: identity, key: identity, value: identity };
        const field = new AttentionField(system);
        const out = new Float64Array(n * d);
        await field.velocity(x, out);
        await field.dispose();
        const row = (i: number): Float64Array => x.subarray(i * d, (i + 1) * d);
        const dot = (a: Float64Array, b: Float64Array): number =>
          a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
        for (let i = 0; i < n; i++) {
          const weights = Array.from({ length: n }, (_, j) => Math.exp(beta * dot(row(i), row(j))));
          const sum = dynamics === 'sa' ? weights.reduce((a, b) => a + b) : n;
          const y = Float64Array.from({ length: d }, (_, k) =>
            weights.reduce((total, weight, j) => total + (weight * (row(j)[k] as number)) / sum, 0),
          );
          const along = dot(row(i), y);
          for (let k = 0; k < d; k++) {
            const expected = (y[k] as number) - along * (row(i)[k] as number);
            const size = Math.max(1, Math.exp(Math.abs(beta)) / 4);
            expect(Math.abs((out[i * d + k] as number) - expected)).toBeLessThan(2e-6 * size);
          }
        }
      }
    },
  );
});
