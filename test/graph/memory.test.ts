import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planArena } from '../../lib/graph/memory.js';
import type { Program } from '../../lib/graph/program.js';
import '../../lib/ops/index.js';

/** A program of ops, the i-th reading the values that `reads[i]` picks among earlier ones. */
function chain(reads: readonly (readonly number[])[], op = 'softmax'): Program {
  const value = { shape: [1], dtype: 'float32', source: { kind: 'op' } } as const;
  return {
    symbols: [],
    values: reads.map(() => value),
    nodes: reads.map((operands, i) => ({
      op,
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
      fc.property(programs, sizes, fc.boolean(), (reads, bytes, inPlace) => {
        const program = chain(reads, inPlace ? 'add' : 'softmax');
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
            const isFirst = program.nodes[b]?.operands[0] === a;
            if (inPlace && isFirst && lastA === b && arena.offsets[a] === arena.offsets[b])
              continue;
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

  it('computes in the place of what nobody reads any more, where the op may', () => {
    const reads = Array.from({ length: 20 }, (_, i) => (i > 0 ? [i - 1] : []));
    expect(planArena(chain(reads, 'add'), () => 6400).bytes).toBe(6400);
    reads[19] = [18, 4];
    expect(planArena(chain(reads, 'add'), () => 6400).bytes).toBe(2 * 6400);
  });

  it('leaves what is larger, or smaller, a place of its own', () => {
    const reads = Array.from({ length: 3 }, (_, i) => (i > 0 ? [i - 1] : []));
    expect(planArena(chain(reads, 'add'), (value) => [128, 64][value] ?? 0).bytes).toBe(192);
  });
});
