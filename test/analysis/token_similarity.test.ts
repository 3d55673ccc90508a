import { describe, expect, it } from 'vitest';
import { tokenSimilarity } from '../../lib/analysis/token_similarity.js';

const matrix = (rows: number[][]) => ({
  data: Float32Array.from(rows.flat()),
  shape: [rows.length, rows[0].length],
});
const at = (degrees: number, length = 1): number[] => [
  length * Math.cos((degrees * Math.PI) / 180),
  length * Math.sin((degrees * Math.PI) / 180),
];

describe('tokenSimilarity', () => {
  it('is what one computes by hand', () => {
    // Angles of 90, 180 and 90 degrees; lengths do not matter.
    const { mean, histogram, clusters } = tokenSimilarity(
      matrix([at(0, 3), at(90), at(180, 0.1)]),
      {
        bins: 4,
      },
    );
    expect(mean).toBeCloseTo(-1 / 3, 6);
    expect(histogram.reduce((a, b) => a + b)).toBe(3);
    expect(histogram[0]).toBe(1);
    expect(histogram[3]).toBe(0);
    expect(clusters).toBe(3);
  });

  it('counts tokens as a cluster that are joined by others between them', () => {
    const chain = [0, 20, 40, 60, 180, 190].map((degrees) => at(degrees));
    const clusters = (degrees: number) =>
      tokenSimilarity(matrix(chain), { threshold: Math.cos((degrees * Math.PI) / 180) }).clusters;
    expect(clusters(5)).toBe(6);
    expect(clusters(15)).toBe(5); // 180 and 190
    expect(clusters(25)).toBe(2); // and 0 … 60, whose ends are 60 apart
    expect(clusters(121)).toBe(1);
  });

  it('puts what is alike into the last bin, one token into one cluster', () => {
    const alike = tokenSimilarity(matrix([at(10), at(10, 2)]));
    expect(alike).toMatchObject({ clusters: 1 });
    expect(alike.mean).toBeCloseTo(1, 12);
    expect(alike.histogram.at(-1)).toBe(1);
    expect(tokenSimilarity(matrix([at(10)]))).toMatchObject({ mean: 1, clusters: 1 });
  });

  it('gives a token without direction inner products of 0', () => {
    expect(tokenSimilarity(matrix([[0, 0], at(3)]))).toMatchObject({ mean: 0, clusters: 2 });
  });

  it.each([
    [
      'NaN',
      matrix([
        [NaN, 1],
        [0, 1],
      ]),
      {},
      'ERR_INPUT',
    ],
    ['several texts', { data: new Float32Array(8), shape: [2, 2, 2] }, {}, 'ERR_SHAPE'],
    ['no token', { data: new Float32Array(0), shape: [0, 2] }, {}, 'ERR_SHAPE'],
    ['a threshold', matrix([[1]]), { threshold: 2 }, 'ERR_ARGUMENT'],
    ['no matrix', null as never, {}, 'ERR_ARGUMENT'],
    ['float64', { data: new Float64Array(1) as never, shape: [1, 1] }, {}, 'ERR_ARGUMENT'],
    ['half a row', { data: new Float32Array(2), shape: [0.5, 4] }, {}, 'ERR_SHAPE'],
    ['rows below 0', { data: new Float32Array(2), shape: [-1, -2] }, {}, 'ERR_SHAPE'],
    ['a threshold in words', matrix([[1]]), { threshold: '0.5' as never }, 'ERR_ARGUMENT'],
    ['bins without end', matrix([[1]]), { bins: 1e9 }, 'ERR_ARGUMENT'],
    ['no bins', matrix([[1]]), { bins: 0 }, 'ERR_ARGUMENT'],
  ])('refuses %s', (_, wrong, options, code) => {
    expect(() => tokenSimilarity(wrong, options)).toThrow(expect.objectContaining({ code }));
  });
});
