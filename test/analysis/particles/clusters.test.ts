import { describe, expect, it } from 'vitest';
import { ClusterCounter, plateausOf } from '../../../lib/analysis/particles/clusters.js';
import { normalNumbers, uniformPoints } from '../../../lib/analysis/particles/start.js';

async function clusterCount(x: Float64Array, d: number, threshold: number): Promise<number> {
  const counter = new ClusterCounter(x.length / d, d, threshold);
  try {
    return await counter.count(x);
  } finally {
    await counter.dispose();
  }
}

/** Components by looking at all pairs. */
function componentsOfAllPairs(x: Float64Array, d: number, threshold: number): number {
  const n = x.length / d;
  const label = Array.from({ length: n }, (_, i) => i);
  for (let a = 0; a < n; a++) {
    for (let b = 0; b < a; b++) {
      if (label[a] === label[b]) continue;
      let square = 0;
      for (let i = 0; i < d; i++)
        square += ((x[a * d + i] as number) - (x[b * d + i] as number)) ** 2;
      if (square > threshold * threshold) continue;
      const [from, to] = [label[a], label[b]];
      label.forEach((own, i) => {
        if (own === from) label[i] = to as number;
      });
    }
  }
  return new Set(label).size;
}

describe('ClusterCounter', () => {
  it.each([
    { n: 1, d: 1 },
    { n: 2, d: 1 },
    { n: 90, d: 2 },
    { n: 90, d: 3 },
    { n: 70, d: 17 },
  ])('is the number of components: $n points, d = $d', async ({ n, d }) => {
    const counts = new Set<number>();
    for (let seed = 0; seed < 3; seed++) {
      const x = uniformPoints(n, d, seed);
      // Half of them gathered, so that groups have several members.
      const noise = normalNumbers(n * d, seed, 99);
      for (let i = 0; i < Math.floor(n / 2) * d; i++) {
        x[i] = (x[i % (3 * d)] as number) + 0.05 * (noise[i] as number);
      }
      for (const threshold of [0, 1e-3, 0.01, 0.03, 0.1, 0.3, 0.8, 2]) {
        const count = await clusterCount(x, d, threshold);
        expect(count).toBe(componentsOfAllPairs(x, d, threshold));
        counts.add(count);
      }
    }
    if (n > 2) expect(counts.size).toBeGreaterThan(4);
  });

  // Several blocks, the last not full: far apart, some near, all in a few clusters, and all in one.
  it.each([0.3, 0.01, 1e-3, 1e-4])(
    'is exact over blocks of particles: spread %d',
    async (spread) => {
      const [n, d] = [1300, 9];
      const centers = uniformPoints(4, d, 7);
      const noise = normalNumbers(n * d, 1, 99);
      const x = noise.map((value, i) => (centers[i % (4 * d)] as number) + spread * value);
      for (const threshold of [spread * 1.5, 0.01, 1]) {
        expect(await clusterCount(x, d, threshold)).toBe(componentsOfAllPairs(x, d, threshold));
      }
    },
  );

  it('joins a chain whose ends are far apart, and takes equal points for one', async () => {
    const chain = Float64Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? i / 2 : 0));
    expect(await clusterCount(chain, 2, 1)).toBe(1);
    expect(await clusterCount(chain, 2, 0.999)).toBe(100);
    expect(await clusterCount(new Float64Array(30), 3, 0)).toBe(1);
  });
});

describe('plateausOf', () => {
  it('finds what lasts for a tenth of the time', () => {
    const times = Array.from({ length: 21 }, (_, i) => i);
    const clusters = [9, 8, 7, 4, 4, 4, 4, 3, 2, 2, 2, ...Array(10).fill(1)];
    expect(plateausOf(times, clusters)).toEqual([
      { clusters: 4, from: 3, to: 6 },
      { clusters: 2, from: 8, to: 10 },
      { clusters: 1, from: 11, to: 20 },
    ]);
    expect(plateausOf([0], [5])).toEqual([]);
  });
});
