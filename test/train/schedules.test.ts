import { describe, expect, it } from 'vitest';
import { constant, cosine, linear, noam, type Schedule } from '../../lib/train/schedules.js';

const at = (schedule: Schedule, ...steps: number[]): number[] =>
  steps.map((step) => Number(schedule(step).toFixed(6)));

describe('schedules', () => {
  it('warm up linearly, then stay, fall in a line or along a cosine', () => {
    expect(at(constant({ peak: 0.5, warmup: 4 }), 1, 2, 4, 5, 900)).toEqual([
      0.125, 0.25, 0.5, 0.5, 0.5,
    ]);
    const line = linear({ peak: 1, warmup: 2, steps: 10, floor: 0.2 });
    expect(at(line, 1, 2, 6, 10, 11)).toEqual([0.5, 1, 0.6, 0.2, 0.2]);
    const curve = cosine({ peak: 1, steps: 6, floor: 0 });
    expect(at(curve, 2, 3, 4, 6, 7)).toEqual([0.75, 0.5, 0.25, 0, 0]);
  });

  it('follow Noam', () => {
    const schedule = noam({ width: 64, warmup: 100, factor: 2 });
    expect(schedule(25)).toBeCloseTo((2 / 8) * 25 * 1e-3, 12);
    expect(schedule(100)).toBeCloseTo(2 / 8 / 10, 12);
    expect(schedule(400)).toBeCloseTo(2 / 8 / 20, 12);
  });

  it.each<[string, () => Schedule]>([
    ['a negative rate', () => constant({ peak: -1 })],
    ['half a step of warm-up', () => constant({ peak: 1, warmup: 0.5 })],
    ['a warm-up that never ends', () => linear({ peak: 1, steps: 5, warmup: 5 })],
    ['no width', () => noam({ width: 0, warmup: 5 })],
    ['a floor that is no number', () => cosine({ peak: 1, steps: 5, floor: Number.NaN })],
  ])('refuse %s', (_, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT' }));
  });
});
