import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planArena } from '../../lib/graph/memory.js';
import type { Program } from '../../lib/graph/program.js';

/** A program of `count` ops, op i reading the values that `reads[i]` picks among earlier ones. */
function chain(reads: readonly (readonly number[])[]): Program {
  const value = { shape: [1], dtype: 'float32', source: { kind: 'op' } } as const;
  return {
    symbols: [],
    values: reads.map(() => value),
    nodes: reads.map((operands, i) => ({
      op: 'add',
      operands: operands.map((pick) => pick % Math.max(i, 1)).filter((operand) => operand < i),
      result: i,
      further: [],
      attributes: {},
      name: undefined,
    })),
    inputs: [],
    outputs: reads.length > 0 ? [{ name: 'out', value: reads.length - 1 }] : [],
  };
}

function lifetimes(program: Program): Map<number, [first: number, last: number]> {
  const result = new Map<number, [number, number]>();
  program.nodes.forEach((node, at) => {
    result.set(node.result, [at, at]);
    for (const operand of node.operands) (result.get(operand) as [number, number])[1] = at;
  });
  return result;
}

describe('planArena', () => {
  it('never lets two values that live at once overlap', () => {
    const programs = fc.array(fc.array(fc.nat(50), { maxLength: 3 }), {
      minLength: 1,
      maxLength: 30,
    });
    const sizes = fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 30, maxLength: 30 });
    fc.assert(
      fc.property(programs, sizes, (reads, bytes) => {
        const program = chain(reads);
        const arena = planArena(program, (value) => bytes[value]);
        const lives = lifetimes(program);
        const placed = [...lives.keys()].filter((value) => arena.offsets[value] >= 0);
        expect(placed).toHaveLength(reads.length - 1); // all but the output
        for (const a of placed) {
          expect(arena.offsets[a] % 64).toBe(0);
          expect(arena.offsets[a] + bytes[a]).toBeLessThanOrEqual(arena.bytes);
          for (const b of placed) {
            const [[firstA, lastA], [firstB, lastB]] = [lives.get(a), lives.get(b)] as [
              number,
              number,
            ][];
            if (a >= b || lastA < firstB || lastB < firstA) continue;
            const apart =
              arena.offsets[a] + bytes[a] <= arena.offsets[b] ||
              arena.offsets[b] + bytes[b] <= arena.offsets[a];
            expect(apart).toBe(true);
          }
        }
      }),
    );
  });

  it('reuses the memory of values that are no longer needed', () => {
    const program = chain(Array.from({ length: 20 }, (_, i) => (i > 0 ? [i - 1] : [])));
    expect(planArena(program, () => 6400).bytes).toBe(2 * 6400);
  });
});
