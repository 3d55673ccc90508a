/** Particles against what is proven of them, and against another integrator. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { particles } from '../../../lib/analysis/particles/particles.js';

const fixture = new URL('../../fixtures/particles/trajectories.json', import.meta.url);

interface Trajectory {
  dynamics: 'sa' | 'usa';
  n: number;
  d: number;
  beta: number;
  time: number;
  query?: number[][];
  key?: number[][];
  value?: number[][];
  energy: number[];
  /** [time][particle][coordinate]. */
  positions: number[][][];
}
const trajectories: Trajectory[] = JSON.parse(await readFile(fixture, 'utf8'));

/**
 * The common inner product of particles that start orthogonal, Q = K = V = I (Geshkovski et al. 2023, section 6, for SA; for USA
 * the same with n in place of e^β + (n−1)e^{βγ}), by the classical Runge–Kutta method.
 */
function commonInnerProduct(
  { n, beta, dynamics }: { n: number; beta: number; dynamics: string },
  times: readonly number[],
): number[] {
  const slope = (g: number): number => {
    const sum = dynamics === 'sa' ? Math.exp(beta) + (n - 1) * Math.exp(beta * g) : n;
    return (2 * Math.exp(beta * g) * (1 - g) * ((n - 1) * g + 1)) / sum;
  };
  let [g, t] = [0, 0];
  return times.map((time) => {
    const count = 500;
    const h = (time - t) / count;
    for (let i = 0; i < count; i++) {
      const a = slope(g);
      const b = slope(g + (h * a) / 2);
      const c = slope(g + (h * b) / 2);
      g += (h * (a + 2 * b + 2 * c + slope(g + h * c))) / 6;
    }
    t = time;
    return g;
  });
}

const largest = (values: readonly number[]): number => Math.max(...values.map(Math.abs));

describe('orthogonal particles', () => {
  const cases = [
    { dynamics: 'sa', n: 16, d: 16, beta: 1, time: 10 },
    { dynamics: 'sa', n: 8, d: 20, beta: 4, time: 12 },
    { dynamics: 'sa', n: 16, d: 16, beta: 0, time: 6 },
    { dynamics: 'sa', n: 5, d: 7, beta: -1, time: 6 },
    { dynamics: 'usa', n: 16, d: 16, beta: 1, time: 3 },
    { dynamics: 'usa', n: 32, d: 32, beta: 3, time: 1 },
  ] as const;

  it.each(cases)('$dynamics, n = $n, β = $beta: follow the equation for γ', async (kase) => {
    const run = await particles({ ...kase, init: 'orthogonal', samples: 21, tolerance: 1e-7 });
    const expected = commonInnerProduct(kase, run.times);
    expect(run.times).toHaveLength(21);
    expect(run.times.at(-1)).toBe(kase.time);
    const errors = expected.map((value, i) => value - (run.meanInnerProduct[i] ?? Number.NaN));
    expect(largest(errors)).toBeLessThan(2e-6);
  });

  it.each([
    { dynamics: 'sa', beta: 1, from: 6, to: 9, rate: 2 },
    { dynamics: 'usa', beta: 1, from: 2.2, to: 3.4, rate: 2 * Math.E },
  ] as const)('$dynamics: become one cluster at the proven rate', async (kase) => {
    // At γ = 1 the equation is (1 − γ)′ = −rate·(1 − γ), so that distances shrink by e^{−rate·t/2}.
    const { dynamics, beta, from, to, rate } = kase;
    const shared = { n: 16, d: 16, beta, init: 'orthogonal', samples: 41 } as const;
    const run = await particles({ ...shared, dynamics, time: to, tolerance: 1e-7 });
    const [x, y] = [[] as number[], [] as number[]];
    run.times.forEach((time, i) => {
      if (time < from) return;
      x.push(time);
      y.push(Math.log(1 - (run.meanInnerProduct[i] as number)));
    });
    const mean = (values: readonly number[]): number =>
      values.reduce((a, b) => a + b, 0) / values.length;
    const [mx, my] = [mean(x), mean(y)];
    const covariance = mean(x.map((value, i) => (value - mx) * ((y[i] as number) - my)));
    const fitted = -covariance / mean(x.map((value) => (value - mx) ** 2));
    expect(Math.abs(fitted / rate - 1)).toBeLessThan(0.005);
    expect(run.clusters.at(0)).toBe(16);
    expect(run.clusters.at(-1)).toBe(1);
  });
});

describe('the energy', () => {
  it.each([
    { dynamics: 'sa', n: 40, d: 3, beta: 4, time: 10 },
    { dynamics: 'usa', n: 40, d: 3, beta: 2, time: 4 },
    { dynamics: 'sa', n: 40, d: 2, beta: 0, time: 4 },
    // V = QᵀK: still the gradient of the energy
    { dynamics: 'usa', n: 20, d: 5, beta: 1, time: 3, query: 1.2, key: 0.5, value: 0.6 },
    // Negative for β < 0, and V = I still ascends it.
    { dynamics: 'usa', n: 20, d: 4, beta: -2, time: 5 },
  ] as const)('rises: $dynamics, d = $d, β = $beta', async (kase) => {
    const { energy } = await particles({ ...kase, samples: 41 });
    const rises = energy.slice(1).map((value, i) => value - (energy[i] as number));
    // Its sums are float32: what remains of the rise at the end is lost in their rounding.
    const rounding = 5e-7 * largest(energy);
    expect(Math.min(...rises)).toBeGreaterThan(-rounding);
    expect((energy.at(-1) as number) - (energy[0] as number)).toBeGreaterThan(1000 * rounding);
  });

  it('falls where V = −I: particles repel each other', async () => {
    const run = await particles({ n: 30, d: 3, beta: 1, time: 10, dynamics: 'usa', value: -1 });
    expect(
      run.energy.every((value, i) => i === 0 || value <= (run.energy[i - 1] ?? 0) + 1e-6),
    ).toBe(true);
    expect(run.meanInnerProduct.at(-1)).toBeCloseTo(-1 / 29, 3); // Σ x_i = 0
  });

  it('is finite where e^{β…} passes float32, and Infinity where it passes float64', async () => {
    const shared = {
      n: 3,
      d: 2,
      time: 0,
      init: [
        [1, 0],
        [0, 1],
        [-1, 0],
      ],
    } as const;
    const init = shared.init.map((row) => [...row]);
    for (const beta of [100, 600]) {
      const { energy } = await particles({ ...shared, init, beta });
      const exact = (3 * Math.exp(beta) + 4 + 2 * Math.exp(-beta)) / (18 * beta);
      expect(Math.abs((energy[0] as number) / exact - 1)).toBeLessThan(1e-6);
    }
    expect((await particles({ ...shared, init, beta: 800 })).energy).toEqual([Infinity]);
  });

  it('holds where a particle sees itself far less than others', async () => {
    // Q = −K: each has the score −β of itself and β of its opposite; the mean of a row is 0.
    const init = [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
    ];
    const run = await particles({
      n: 4,
      d: 2,
      beta: 90,
      time: 0,
      key: [
        [-1, 0],
        [0, -1],
      ],
      init,
    });
    const exact = (4 * (Math.exp(90) + Math.exp(-90) + 2)) / (32 * 90);
    expect(Math.abs((run.energy[0] as number) / exact - 1)).toBeLessThan(1e-5);
    const one = await particles({
      n: 2,
      d: 2,
      beta: 90,
      time: 0,
      key: [
        [-1, 0],
        [0, -1],
      ],
      init: init.slice(0, 2),
    });
    expect(Math.abs((one.energy[0] as number) / ((2 * Math.exp(90)) / (8 * 90)) - 1)).toBeLessThan(
      1e-5,
    );
  });
});

describe('trajectories', () => {
  it.each(trajectories)(
    'are those of SciPy: $dynamics, n = $n, d = $d, β = $beta',
    async ({ dynamics, n, d, beta, time, query, key, value, positions, energy }) => {
      const matrices = query && key && value ? { query, key, value } : {};
      const seen: number[] = [];
      const run = await particles({
        ...{ n, d, beta, time, dynamics, ...matrices, init: positions[0] as number[][] },
        samples: positions.length,
        tolerance: 1e-7,
        onSample: ({ positions: x }) => void seen.push(...x),
      });
      const errors = positions.flat(2).map((x: number, i: number) => x - (seen[i] as number));
      expect(errors).toHaveLength(n * d * positions.length);
      expect(largest(errors)).toBeLessThan(1e-5);
      expect(run.energy.map((value, i) => value / (energy[i] as number))).toEqual(
        energy.map(() => expect.closeTo(1, 4)),
      );
      expect([...run.positions]).toEqual(seen.slice(-n * d));
    },
  );
});

describe('metastable states', () => {
  it('hold several clusters for long where β is large, and one where it is small', async () => {
    // The setting of the figures of the paper: n = 32, here on the circle.
    const run = await particles({ n: 32, d: 2, beta: 9, time: 30, seed: 1, tolerance: 1e-4 });
    const longest = run.plateaus.at(-1);
    expect(longest?.clusters).toBeGreaterThan(1);
    expect((longest?.to ?? 0) - (longest?.from ?? 0)).toBeGreaterThan(15);
    const warm = await particles({ n: 32, d: 2, beta: 1, time: 30, seed: 1, tolerance: 1e-4 });
    expect(warm.plateaus.at(-1)).toMatchObject({ clusters: 1, to: 30 });
  });
});
