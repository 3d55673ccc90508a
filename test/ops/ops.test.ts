import { describe, expect, it } from 'vitest';
import { registeredOps } from '../../lib/graph/rules.js';
import { compile } from '../../lib/graph/run.js';
import { nativeBackend } from '../native.js';
import { firstDifference, reference } from '../reference.js';
import { opCases } from './cases.js';
import { Random } from './op_case.js';

/** Ops that change states have tests of their own, in state.test.ts and kv_pages.test.ts. */
const stateOps = ['assign', 'append', 'appendPages', 'copyPages', 'readPages'];
/** Ops that stand in the cases of others. */
const partOps = ['joinParts'];

describe('every op, native against float64', () => {
  it('has cases', () => {
    const covered = new Set([...opCases.map((opCase) => opCase.op), ...stateOps, ...partOps]);
    expect(registeredOps().filter((op) => !covered.has(op))).toEqual([]);
  });

  it.each(opCases.map((opCase, i) => [`${opCase.op}: ${opCase.name}`, opCase, i] as const))(
    '%s',
    async (_, { build, absolute = 1e-5, relative = 1e-5 }, i) => {
      const result = build(new Random(i));
      const expected = await reference({ result });
      const graph = await compile({ result }, new Map(), { backend: nativeBackend() });
      const actual = await graph.run({});
      graph.dispose();
      expect(actual.result.shape).toEqual(result.shape);
      expect(
        firstDifference(actual.result.data, expected.result, absolute, relative),
      ).toBeUndefined();
    },
  );
});
