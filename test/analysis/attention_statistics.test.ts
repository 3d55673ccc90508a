import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attentionStatistics } from '../../lib/analysis/attention_statistics.js';

const map = (heads: number[][][]) => ({
  data: Float32Array.from(heads.flat(2)),
  shape: [heads.length, heads[0].length, heads[0].length],
});

describe('attentionStatistics', () => {
  it('are what one computes by hand', () => {
    const half = [
      [1, 0, 0, 0],
      [0.5, 0.5, 0, 0],
      [0.5, 0.25, 0.25, 0],
      [0.25, 0.25, 0.25, 0.25],
    ];
    const [head] = attentionStatistics(map([half]), { unit: 'bits' });
    // Entropies 0, 1, 1.5 and 2 bits; distances 0, 0.5, 1.25 and 1.5.
    expect(head.entropy).toBeCloseTo(4.5 / 4, 12);
    expect(head.distance).toBeCloseTo(3.25 / 4, 12);
    expect(head.first).toBeCloseTo(2.25 / 4, 12);
    expect(head.self).toBeCloseTo((1 + 0.5 + 0.25 + 0.25) / 4, 12);
    expect(head.previous).toBeCloseTo((0.5 + 0.25 + 0.25) / 3, 12);
    const [inNats] = attentionStatistics(map([half]));
    expect(inNats.entropy).toBeCloseTo((4.5 / 4) * Math.LN2, 12);
  });

  it('keep each head to itself', () => {
    const one = [[1]];
    expect(attentionStatistics(map([one, one]))).toEqual(
      [0, 1].map(() => ({ entropy: 0, distance: 0, first: 1, self: 1, previous: 0 })),
    );
    const [toSelf, toOther] = attentionStatistics(
      map([
        [
          [1, 0],
          [0, 1],
        ],
        [
          [0, 1],
          [1, 0],
        ],
      ]),
    );
    expect(toSelf).toMatchObject({ distance: 0, self: 1, previous: 0 });
    expect(toOther).toMatchObject({ distance: 1, self: 0, previous: 1, first: 0.5 });
  });

  // Shannon 1948, section 6: 0 ≤ H ≤ ln n, with equality where all are alike.
  it('hold the bounds of entropy', () => {
    const rows = fc.integer({ min: 1, max: 12 }).chain((n) =>
      fc.array(
        fc.array(fc.float({ min: Math.fround(0.01), max: 1, noNaN: true }), {
          minLength: n,
          maxLength: n,
        }),
        {
          minLength: n,
          maxLength: n,
        },
      ),
    );
    fc.assert(
      fc.property(rows, (scores) => {
        const weights = scores.map((row) => {
          const sum = row.reduce((a, b) => a + b, 0);
          return row.map((x) => x / sum);
        });
        const [{ entropy }] = attentionStatistics(map([weights]));
        expect(entropy).toBeGreaterThanOrEqual(0);
        expect(entropy).toBeLessThanOrEqual(Math.log(scores.length) + 1e-6);
      }),
    );
    const even = Array.from({ length: 7 }, () => new Array(7).fill(1 / 7));
    expect(attentionStatistics(map([even]))[0].entropy).toBeCloseTo(Math.log(7), 6);
  });

  it.each([
    ['two texts', { data: new Float32Array(8), shape: [2, 1, 2, 2] }, 'ERR_SHAPE'],
    ['no square', { data: new Float32Array(6), shape: [1, 2, 3] }, 'ERR_SHAPE'],
    ['too few numbers', { data: new Float32Array(3), shape: [1, 2, 2] }, 'ERR_SHAPE'],
    ['NaN', { data: Float32Array.of(1, 0, NaN, 1), shape: [1, 2, 2] }, 'ERR_INPUT'],
    ['nothing', {} as never, 'ERR_ARGUMENT'],
    ['a list', { data: [1] as never, shape: [1, 1, 1] }, 'ERR_ARGUMENT'],
    ['more than 1', { data: Float32Array.of(2), shape: [1, 1, 1] }, 'ERR_INPUT'],
    ['a row of less', { data: Float32Array.of(0.5), shape: [1, 1, 1] }, 'ERR_INPUT'],
    ['less than 0', { data: Float32Array.of(1, 0, -1, 1), shape: [1, 2, 2] }, 'ERR_INPUT'],
  ])('refuse %s', (_, wrong, code) => {
    expect(() => attentionStatistics(wrong)).toThrow(expect.objectContaining({ code }));
  });

  it('refuse units that there are not', () => {
    expect(() => attentionStatistics(map([[[1]]]), { unit: 'bans' as 'bits' })).toThrow(
      expect.objectContaining({ code: 'ERR_ARGUMENT' }),
    );
  });
});
