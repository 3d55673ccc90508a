import { expect, it } from 'vitest';
import { predictions } from '../../lib/analysis/predictions.js';

it('gives softmax, its best and its entropy', () => {
  const logits = Float32Array.of(Math.log(1), Math.log(5), Math.log(2), 7, 7, -Infinity);
  const [first, second] = predictions({ data: logits, shape: [2, 3] }, 2);
  expect(first.top.map(({ id }) => id)).toEqual([1, 2]);
  expect(first.top[0].probability).toBeCloseTo(5 / 8, 6);
  const entropy = -[1, 5, 2].reduce((sum, x) => sum + (x / 8) * Math.log(x / 8), 0);
  expect(first.entropy).toBeCloseTo(entropy, 6);
  expect(second.top).toEqual([
    { id: 0, probability: 0.5 },
    { id: 1, probability: 0.5 },
  ]);
  expect(second.entropy).toBeCloseTo(Math.LN2, 12);
});

it('gives all words where fewer are there than asked for', () => {
  const [{ top }] = predictions({ data: Float32Array.of(1, 3, 2), shape: [1, 3] }, 9);
  expect(top.map(({ id }) => id)).toEqual([1, 2, 0]);
});

it('refuses what is no number', () => {
  for (const wrong of [
    [NaN, 1],
    [1, NaN],
    [1, Infinity],
  ]) {
    expect(() => predictions({ data: Float32Array.from(wrong), shape: [1, 2] }, 1)).toThrow(
      expect.objectContaining({ code: 'ERR_ENGINE' }),
    );
  }
  expect(() => predictions({ data: new Float32Array(3), shape: [2, 2] }, 1)).toThrow(
    expect.objectContaining({ code: 'ERR_SHAPE' }),
  );
});
