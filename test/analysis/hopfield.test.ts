import { describe, expect, it } from 'vitest';
import * as hopfield from '../../lib/analysis/hopfield.js';
import { run } from '../../lib/graph/run.js';
import { SymbolicDim } from '../../lib/graph/shape.js';
import { input, tensor } from '../../lib/graph/tensor.js';
import { nativeBackend } from '../native.js';
import { firstDifference, reference } from '../reference.js';
import { normals, onSphere } from './random.js';

nativeBackend(); // what follows is about the engine's attention

type Row = ArrayLike<number>;
const dot = (a: Row, b: Row): number => Array.from(a).reduce((sum, x, i) => sum + x * b[i], 0);
const distance = (a: Row, b: Row): number => Math.hypot(...Array.from(a, (x, i) => x - b[i]));
const rowsOf = (data: Float32Array | Float64Array, width: number): (typeof data)[] =>
  Array.from({ length: data.length / width }, (_, i) => data.subarray(i * width, (i + 1) * width));

/** Equation 2, as it is written. */
function energyOf(patterns: readonly Row[], state: Row, beta: number): number {
  const sum = patterns.reduce((total, x) => total + Math.exp(beta * dot(x, state)), 0);
  const longest = Math.max(...patterns.map((x) => Math.sqrt(dot(x, x))));
  const lse = Math.log(sum) / beta;
  return -lse + dot(state, state) / 2 + Math.log(patterns.length) / beta + longest ** 2 / 2;
}

/** Steps of the float64 backend, which rounds nothing between them. */
async function exactSteps(patterns: number[][], states: number[][], beta: number, steps: number) {
  const x = tensor(patterns);
  let state = tensor(states);
  const outputs = Array.from({ length: steps }, () => {
    state = hopfield.update(state, x, { beta });
    return state;
  });
  const results = await reference(Object.fromEntries(outputs.entries()));
  const width = patterns[0].length;
  return [states, ...outputs.map((_, step) => rowsOf(results[step], width))];
}

const systems = [
  { count: 5, width: 2, beta: 1 },
  { count: 30, width: 8, beta: 0.25 },
  { count: 12, width: 16, beta: 4 },
  { count: 3, width: 4, beta: 40 },
];

describe('an update', () => {
  it('is X·softmax(β·Xᵀξ)', async () => {
    const random = normals(1);
    const [patterns, states] = [random(6, 4), random(3, 4)];
    const beta = 1.3;
    const expected = states.flatMap((state) => {
      const weights = patterns.map((x) => Math.exp(beta * dot(x, state)));
      const sum = weights.reduce((a, b) => a + b);
      return [0, 1, 2, 3].map((i) =>
        patterns.reduce((total, x, j) => total + (weights[j] / sum) * x[i], 0),
      );
    });
    const { data, shape } = await hopfield.retrieve(patterns, states, { beta });
    expect(shape).toEqual([3, 4]);
    expect(firstDifference(data, expected, 1e-6, 1e-6)).toBeUndefined();
    const lazily = await run(hopfield.update(tensor(states), tensor(patterns), { beta }));
    expect(lazily.data).toEqual(data);
  });

  it.each(systems)(
    'lowers the energy of $count patterns in $width dimensions, β = $beta',
    async (system) => {
      const { count, width, beta } = system;
      const random = normals(2);
      const [patterns, states] = [random(count, width), random(200, width)];
      const exact = await exactSteps(patterns, states, beta, 12);
      for (let step = 1; step < exact.length; step++) {
        for (let start = 0; start < states.length; start++) {
          const before = energyOf(patterns, exact[step - 1][start], beta);
          const after = energyOf(patterns, exact[step][start], beta);
          const moved = distance(exact[step - 1][start], exact[step][start]);
          // The concave part lies under its tangent: a step of length s lowers E by ½s² at least (theorem 1's proof by CCCP).
          expect(after).toBeLessThanOrEqual(before - moved ** 2 / 2 + 1e-11);
        }
      }
      const native = await hopfield.trajectory(patterns, states, { beta, steps: 12 });
      let fell = 0;
      for (let step = 1; step < native.length; step++) {
        const before = hopfield.energy(patterns, native[step - 1], { beta });
        const after = hopfield.energy(patterns, native[step], { beta });
        after.forEach((value, start) => {
          expect(value).toBeLessThanOrEqual(before[start] + 1e-5);
          if (value < before[start]) fell++;
        });
      }
      expect(fell).toBeGreaterThan(states.length); // it falls for more than one step
    },
  );

  it('comes to a fixed point, where the gradient of the energy is 0', async () => {
    const random = normals(3);
    const [patterns, states] = [random(10, 3), random(50, 3)];
    const beta = 2;
    const [last, next] = (await exactSteps(patterns, states, beta, 400)).slice(-2);
    last.forEach((state, i) => {
      expect(distance(state, next[i])).toBeLessThan(1e-6);
      for (const axis of [0, 1, 2]) {
        const shifted = (h: number) => Float64Array.from(state, (x, j) => (j === axis ? x + h : x));
        const slope =
          (energyOf(patterns, shifted(1e-4), beta) - energyOf(patterns, shifted(-1e-4), beta)) /
          2e-4;
        expect(Math.abs(slope)).toBeLessThan(1e-5);
      }
    });
  });
});

describe('energy', () => {
  it('is equation 2', () => {
    const random = normals(4);
    const [patterns, states] = [random(7, 5), random(9, 5)];
    const expected = states.map((state) => energyOf(patterns, state, 0.6));
    const found = hopfield.energy(patterns, states, { beta: 0.6 });
    expect(firstDifference(found, expected, 1e-12, 1e-12)).toBeUndefined();
  });

  it('lies from 0 to 2M² for means of patterns', () => {
    const random = normals(5);
    for (const beta of [0.01, 1, 30]) {
      const patterns = random(9, 4);
      const means = random(100, 9).map((weights) => {
        const positive = weights.map((w) => w * w);
        const sum = positive.reduce((a, b) => a + b);
        return [0, 1, 2, 3].map((i) =>
          patterns.reduce((s, x, j) => s + (positive[j] / sum) * x[i], 0),
        );
      });
      const most = 2 * Math.max(...patterns.map((x) => dot(x, x)));
      for (const value of hopfield.energy(patterns, means, { beta })) {
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(most);
      }
    }
  });

  it('of one pattern is half the squared distance to it, at any β', () => {
    for (const beta of [1e-3, 1, 1e30]) {
      expect([
        ...hopfield.energy(
          [[3, 4]],
          [
            [3, 4],
            [0, 0],
            [4, 4],
          ],
          { beta },
        ),
      ]).toEqual([0, 12.5, 0.5]);
    }
  });
});

describe('stored patterns', () => {
  // Spheres of radius √(d − 1), as in theorem 3 with K = 1; β so large that the separation condition holds for most.
  const width = 24;
  const random = normals(6);
  const patterns = onSphere(random(50, width), Math.sqrt(width - 1));
  const radius = Math.max(...patterns.map((x) => Math.sqrt(dot(x, x))));
  const beta = 1.5;
  const bounds = hopfield.retrievalBounds(patterns, { beta });
  const stored = [...patterns.keys()].filter((i) => bounds[i].isWellSeparated);
  /** As far from its pattern as theorem 5 allows. */
  const starts = onSphere(random(patterns.length, width), 0.999 / (2 * beta * radius)).map(
    (noise, i) => noise.map((x, j) => x + patterns[i][j]),
  );

  it('are separated as definition 2 says', () => {
    const delta = patterns.map((x, i) =>
      Math.min(...patterns.filter((_, j) => j !== i).map((y) => dot(x, x) - dot(x, y))),
    );
    expect(firstDifference(hopfield.separations(patterns), delta, 1e-10, 0)).toBeUndefined();
    expect(stored.length).toBeGreaterThan(25);
    const [count, m2] = [patterns.length, radius ** 2];
    const needed = 2 / (beta * count) + Math.log(2 * (count - 1) * count * beta * m2) / beta;
    for (const i of stored) expect(delta[i]).toBeGreaterThanOrEqual(needed - 1e-9);
  });

  it('are retrieved by one update, within the bounds of theorem 5', async () => {
    const { data } = await hopfield.retrieve(patterns, starts, { beta });
    const native = rowsOf(data, width);
    const exact = (await exactSteps(patterns, starts, beta, 1))[1];
    const count = patterns.length;
    for (const i of stored) {
      const far = distance(starts[i], patterns[i]);
      const { separation, error } = bounds[i];
      const first = 2 * (count - 1) * Math.exp(-beta * (separation - 2 * far * radius)) * radius;
      expect(error).toBeCloseTo(
        2 * Math.E * (count - 1) * radius * Math.exp(-beta * separation),
        12,
      );
      expect(distance(exact[i], patterns[i])).toBeLessThanOrEqual(first);
      expect(distance(exact[i], patterns[i])).toBeLessThanOrEqual(error);
      expect(distance(native[i], patterns[i])).toBeLessThanOrEqual(error + 1e-5);
    }
    const nearest = native.map((state) => {
      const far = patterns.map((x) => distance(x, state));
      return far.indexOf(Math.min(...far));
    });
    for (const i of stored) expect(nearest[i]).toBe(i);
  });

  it('have a fixed point near them, to which an update comes nearer as theorem 4 says', async () => {
    const fixed = (await exactSteps(patterns, patterns, beta, 60)).at(-1) ?? [];
    const exact = (await exactSteps(patterns, starts, beta, 1))[1];
    const count = patterns.length;
    for (const i of stored) {
      expect(distance(fixed[i], patterns[i])).toBeLessThanOrEqual(1 / (beta * count * radius));
      expect(distance(fixed[i], patterns[i])).toBeLessThanOrEqual(bounds[i].error);
      const far = Math.max(distance(starts[i], patterns[i]), distance(fixed[i], patterns[i]));
      const exponent = -beta * (bounds[i].separation - 2 * far * radius);
      const slope = 2 * beta * count * radius ** 2 * (count - 1) * Math.exp(exponent);
      const before = distance(starts[i], fixed[i]);
      expect(distance(exact[i], fixed[i])).toBeLessThanOrEqual(slope * before + 1e-12);
    }
  });

  it('become their mean where β is small', async () => {
    const { data } = await hopfield.retrieve(patterns, starts, { beta: 1e-4, steps: 20 });
    const mean = patterns[0].map(
      (_, i) => patterns.reduce((s, x) => s + x[i], 0) / patterns.length,
    );
    for (const state of rowsOf(data, width)) expect(distance(state, mean)).toBeLessThan(0.01);
  });
});

describe('capacity', () => {
  it('has the figures that theorem 3 gives as examples', () => {
    const large = hopfield.capacity({ beta: 1, radius: 3, dimension: 20, failure: 0.001 });
    expect(Math.floor(large.base * 1e4)).toBe(31546); // "c ≥ 3.1546"
    expect(large.holds).toBe(true);
    const small = hopfield.capacity({ beta: 1, radius: 1, dimension: 75, failure: 0.001 });
    expect(Math.floor(small.base * 1e4)).toBe(13718); // "c ≥ 1.3718"
    expect(small.holds).toBe(true);
    expect(small.patterns).toBeCloseTo(Math.sqrt(0.001) * small.base ** (74 / 4), 9);
  });

  it('is Infinity beyond float64, and never NaN', () => {
    const many = hopfield.capacity({ beta: 10, radius: 10, dimension: 1e6, failure: 0.1 });
    expect(many).toMatchObject({ patterns: Infinity, holds: true });
    const small = { beta: 1e-38, radius: 1e-38, dimension: 2, failure: 1e-38 };
    expect(hopfield.capacity(small).base).toBeGreaterThan(1e100);
    const [short] = hopfield.retrievalBounds([[1e-3], [1e3]], { beta: 1e4 });
    expect(short).toMatchObject({ isWellSeparated: false, error: Infinity });
  });

  it('solves c·W₀ = b, W₀·e^{W₀} = e^{a + ln b} over the range of its arguments', () => {
    for (const [beta, radius, dimension, failure] of [
      [1e-3, 0.1, 2, 1],
      [1, 1, 1e6, 1e-9],
      [1e3, 50, 3, 0.5],
    ]) {
      const { base } = hopfield.capacity({ beta, radius, dimension, failure });
      const b = (2 / 5) * radius ** 2 * beta;
      const a = (2 / (dimension - 1)) * (1 + Math.log(5 * b * failure * (dimension - 1)));
      const w = b / base;
      expect(w + Math.log(w)).toBeCloseTo(a + Math.log(b), 9);
    }
  });
});

describe('bad input', () => {
  const x = [
    [1, 0],
    [0, 1],
  ];
  const rows = new SymbolicDim('rows');
  const calls: [string, () => unknown, string][] = [
    ['β = 0', () => hopfield.energy(x, x, { beta: 0 }), 'ERR_ARGUMENT'],
    ['β < 0', () => hopfield.retrieve(x, x, { beta: -1 }), 'ERR_ARGUMENT'],
    ['β NaN', () => hopfield.retrieve(x, x, { beta: Number.NaN }), 'ERR_ARGUMENT'],
    ['β infinite', () => hopfield.energy(x, x, { beta: Infinity }), 'ERR_ARGUMENT'],
    ['β that float32 has as 0', () => hopfield.retrievalBounds(x, { beta: 1e-60 }), 'ERR_ARGUMENT'],
    ['no patterns', () => hopfield.energy([], x), 'ERR_SHAPE'],
    ['no states', () => hopfield.retrieve(x, []), 'ERR_SHAPE'],
    ['another width', () => hopfield.energy(x, [[1, 2, 3]]), 'ERR_SHAPE'],
    ['no steps', () => hopfield.retrieve(x, x, { steps: 0 }), 'ERR_ARGUMENT'],
    ['too many steps', () => hopfield.retrieve(x, x, { steps: 1001 }), 'ERR_ARGUMENT'],
    ['scores beyond float32', () => hopfield.retrieve([[1e25, 0]], [[0, 1]]), 'ERR_INPUT'],
    ['NaN', () => hopfield.separations([[Number.NaN, 1]]), 'ERR_INPUT'],
    [
      'a symbolic size',
      () => hopfield.update(input('x', [rows, 2], 'float32'), tensor(x)),
      'ERR_SHAPE',
    ],
    ['no tensor', () => hopfield.update(x as never, tensor(x)), 'ERR_ARGUMENT'],
    [
      'a failure of 0',
      () => hopfield.capacity({ dimension: 20, failure: 0, radius: 1 }),
      'ERR_ARGUMENT',
    ],
    [
      'a radius that float32 has as 0',
      () => hopfield.capacity({ dimension: 20, failure: 0.1, radius: 1e-300 }),
      'ERR_ARGUMENT',
    ],
    [
      'a signal that is none',
      () => hopfield.retrieve(x, x, { signal: {} as never }),
      'ERR_ARGUMENT',
    ],
    [
      'one dimension',
      () => hopfield.capacity({ dimension: 1, failure: 0.1, radius: 1 }),
      'ERR_ARGUMENT',
    ],
  ];
  it.each(calls)('%s', async (_, call, code) => {
    await expect((async () => call())()).rejects.toMatchObject({ name: 'HeddleError', code });
  });

  it('is not one pattern alone, which is always retrieved', async () => {
    expect([...(await hopfield.retrieve([[3, 4]], [[-9, 1]])).data]).toEqual([3, 4]);
    expect([...hopfield.separations([[3, 4]])]).toEqual([Infinity]);
    expect(hopfield.retrievalBounds([[3, 4]])).toEqual([
      { separation: Infinity, isWellSeparated: true, error: 0 },
    ]);
  });
});
