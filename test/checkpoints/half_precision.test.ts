import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bfloat16FromBits,
  bitsOfBfloat16,
  bitsOfFloat16,
  float16FromBits,
  roundToBfloat16,
  roundToFloat16,
} from '../../lib/graph/half_precision.js';

const kinds = [
  {
    name: 'float16',
    from: float16FromBits,
    to: bitsOfFloat16,
    round: roundToFloat16,
    infinity: 0x7c00,
  },
  {
    name: 'bfloat16',
    from: bfloat16FromBits,
    to: bitsOfBfloat16,
    round: roundToBfloat16,
    infinity: 0x7f80,
  },
];

describe.each(kinds)('$name', ({ from, to, round, infinity }) => {
  it('gives back the bits of every number', () => {
    const wrong: number[] = [];
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = from(bits);
      if ((bits & 0x7fff) > infinity) {
        if (!Number.isNaN(value) || !Number.isNaN(from(to(value)))) wrong.push(bits);
      } else if (to(value) !== bits) {
        wrong.push(bits);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('rounds to the nearest, and what lies half-way to the even one', () => {
    // Every neighbour pair of positive numbers, up to the step to infinity, which counts as one unit more.
    const wrong: number[] = [];
    for (let bits = 0; bits < infinity; bits++) {
      const low = from(bits);
      const unit = bits > 0 ? low - from(bits - 1) : from(1);
      const isLast = bits === infinity - 1;
      const middle = isLast ? low + unit / 2 : (low + from(bits + 1)) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const next = (value: number, direction: number) => {
        const word = new Uint32Array(Float32Array.of(value).buffer);
        word[0]! += direction;
        return new Float32Array(word.buffer)[0]!;
      };
      // Half of the smallest float32 is no float32: only float16 has a middle there.
      if (Math.fround(middle) !== middle || middle === 0) continue;
      const isRight =
        to(middle) === even &&
        to(-middle) === (even | 0x8000) &&
        to(next(middle, -1)) === bits &&
        to(next(middle, 1)) === bits + 1;
      if (!isRight) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
  });

  it('rounds any float32 to a number that no other is nearer to', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const rounded = round(value);
        if (!Number.isFinite(rounded)) return Math.abs(value) > from(infinity - 1);
        const bits = to(value) & 0x7fff;
        const error = Math.abs(rounded - value);
        const neighbours = [bits - 1, bits + 1].filter((other) => other >= 0 && other < infinity);
        return neighbours.every((other) => Math.abs(from(other) - Math.abs(value)) >= error);
      }),
      { numRuns: 20_000 },
    );
  });

  it('keeps signs, infinities and NaN', () => {
    expect(Object.is(round(-0), -0)).toBe(true);
    expect(round(Infinity)).toBe(Infinity);
    expect(round(-Infinity)).toBe(-Infinity);
    expect(round(Number.NaN)).toBeNaN();
    expect(round(3.4e38 * 1.1)).toBe(Infinity);
  });
});

describe('values from IEEE 754', () => {
  it.each([
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x03ff, 1023 * 2 ** -24],
    [0x0001, 2 ** -24],
  ])('float16 0x%s', (bits, value) => {
    expect(float16FromBits(bits)).toBe(value);
    expect(bitsOfFloat16(value)).toBe(bits);
  });

  it('overflows float16 from 65520 on', () => {
    expect(roundToFloat16(65519.99609375)).toBe(65504);
    expect(roundToFloat16(65520)).toBe(Infinity);
  });
});
