/** Positional encodings do what their papers say of them. */
import { describe, expect, it } from 'vitest';
import { run } from '../../lib/graph/run.js';
import { tensor } from '../../lib/graph/tensor.js';
import * as nn from '../../lib/layers/index.js';
import { relativeBucket } from '../../lib/ops/index.js';

const positions = (count: number) => tensor(Int32Array.from({ length: count }, (_, i) => i));

describe('sinusoidal positions', async () => {
  const [count, width] = [40, 16];
  const { data } = await run(new nn.SinusoidalPositions(count, width).forward(positions(count)));

  // Vaswani et al. 2017, section 3.5: "PE(pos+k) can be represented as a linear function of PE(pos)".
  it.each([1, 7])('%i further on are turned by the same angles, wherever they begin', (shift) => {
    for (let position = 0; position + shift < count; position++) {
      for (let pair = 0; pair < width; pair += 2) {
        const angle = shift / 10000 ** (pair / width);
        const [sine, cosine] = data.subarray(position * width + pair);
        const [then, thenCosine] = data.subarray((position + shift) * width + pair);
        expect(then).toBeCloseTo(sine * Math.cos(angle) + cosine * Math.sin(angle), 5);
        expect(thenCosine).toBeCloseTo(cosine * Math.cos(angle) - sine * Math.sin(angle), 5);
      }
    }
  });
});

// Su et al. 2021, equation 16: the product of a turned query and a turned key knows their distance alone.
it('rotary positions tell distances, and keep lengths', async () => {
  const [dims, count] = [8, 30];
  const frequencies = nn.rotaryFrequencies(dims, 10000);
  const layer = new nn.RotaryPositions({ frequencies, maxLength: count });
  const turned = async (seed: number) => {
    const one = Array.from({ length: dims }, (_, i) => Math.sin(seed + 3 * i));
    const all = Float32Array.from({ length: count * dims }, (_, i) => one[i % dims]);
    const { data } = await run(layer.forward(tensor(all, [count, dims]), positions(count), 1));
    return (row: number) => data.subarray(row * dims, (row + 1) * dims);
  };
  const [query, key] = [await turned(1), await turned(2)];
  const product = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  for (let distance = 0; distance < 10; distance++) {
    const expected = product(query(distance), key(0));
    for (let row = 0; row + distance < count; row++) {
      expect(product(query(row + distance), key(row))).toBeCloseTo(expected, 4);
    }
  }
  expect(product(query(29), query(29))).toBeCloseTo(product(query(0), query(0)), 4);
});

describe('ALiBi', () => {
  // Press et al. 2022, section 3: "for models with 8 heads, the slopes are 1/2¹, 1/2² … 1/2⁸".
  it('has the slopes of its paper', () => {
    expect(nn.alibiSlopes(8)).toEqual(Array.from({ length: 8 }, (_, i) => 2 ** -(i + 1)));
    const sixteen = nn.alibiSlopes(16);
    expect(sixteen.slice(0, 3)).toEqual([2 ** -0.5, 2 ** -1, 2 ** -1.5]);
    expect(nn.alibiSlopes(12)).toEqual([
      ...nn.alibiSlopes(8),
      ...[0, 2, 4, 6].map((i) => sixteen[i]),
    ]);
  });

  it('wants heads', () => {
    expect(() => nn.alibiSlopes(0)).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT' }));
  });
});

describe('buckets of distances', () => {
  // Raffel et al. 2020, section 2.1: 32 buckets that grow logarithmically up to 128, beyond which all share one.
  it("are T5's", () => {
    const before = (distance: number) => relativeBucket(-distance, 32, true, 128);
    expect([0, 1, 7, 8, 11, 12, 15, 16].map(before)).toEqual([0, 1, 7, 8, 8, 9, 9, 10]);
    expect([91, 127, 128, 5000].map(before)).toEqual([15, 15, 15, 15]);
    expect(relativeBucket(1, 32, true, 128)).toBe(17);
    expect(relativeBucket(1, 32, false, 128)).toBe(0);
    expect(relativeBucket(-15, 32, false, 128)).toBe(15);
  });

  it("are DeBERTa's: exact up to half of them, then ever wider, the same both ways", () => {
    const near = Array.from({ length: 129 }, (_, i) => i);
    expect(near.map((distance) => nn.logBucket(distance, 256, 512))).toEqual(near);
    expect(nn.logBucket(511, 256, 512)).toBe(255);
    let last = 128;
    for (let distance = 129; distance < 512; distance++) {
      const bucket = nn.logBucket(distance, 256, 512);
      expect(bucket - last === 0 || bucket - last === 1).toBe(true);
      expect(nn.logBucket(-distance, 256, 512)).toBe(-bucket);
      last = bucket;
    }
  });
});

describe('scaled frequencies', () => {
  const plain = nn.rotaryFrequencies(64, 10000);

  it('are divided by position interpolation, all alike', () => {
    const [scaled] = nn.scaledFrequencies(64, 10000, { kind: 'linear', factor: 4 });
    scaled.forEach((frequency, i) => {
      expect(frequency * 4).toBeCloseTo(plain[i], 6);
    });
  });

  // Peng et al. 2023, section 3.2: what turns often in the old context is kept, what turns less than once is divided.
  it('keep short wavelengths in YaRN and divide long ones', () => {
    const yarn = { betaFast: 32, betaSlow: 1, truncate: true } as const;
    const [scaled] = nn.scaledFrequencies(64, 10000, {
      kind: 'yarn',
      factor: 4,
      original: 4096,
      ...yarn,
    });
    expect(scaled[0]).toBeCloseTo(plain[0], 6);
    expect(scaled[31] * 4).toBeCloseTo(plain[31], 7);
    scaled.forEach((frequency, i) => {
      expect(frequency).toBeLessThanOrEqual(plain[i] * (1 + 1e-6));
      expect(frequency).toBeGreaterThanOrEqual((plain[i] / 4) * (1 - 1e-6));
    });
  });
});
