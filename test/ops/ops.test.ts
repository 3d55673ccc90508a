import { describe, expect, it } from 'vitest';
import { gradient } from '../../lib/graph/gradient.js';
import { trace } from '../../lib/graph/program.js';
import { registeredOps } from '../../lib/graph/rules.js';
import { compile } from '../../lib/graph/run.js';
import { nativeBackend } from '../native.js';
import { firstDifference, reference } from '../reference.js';
import { opCases } from './cases.js';
import { gradientCases, largeGradientCases, weighted } from './gradient_cases.js';
import { Random } from './op_case.js';

/** Ops that change states have tests of their own, in state.test.ts and kv_pages.test.ts. */
const stateOps = ['adam', 'assign', 'append', 'appendPages', 'copyPages', 'readPages'];
/** Ops that stand in the cases of others. */
const partOps = ['joinParts', 'joinRows'];

describe('every op, native against float64', () => {
  it('has cases', () => {
    const gradients = gradientCases.flatMap(({ ops = [] }) => ops);
    const cases = opCases.map((opCase) => opCase.op);
    const covered = new Set([...cases, ...gradients, ...stateOps, ...partOps]);
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

describe('every gradient, native against float64', () => {
  const cases = [...gradientCases, ...largeGradientCases];
  it.each(cases.map((each, i) => [each.name, each, i] as const))(
    '%s',
    async (_, { shapes, build, ops = [], states = [], scale = 1 }, i) => {
      const random = new Random(i);
      const inputs = shapes.map((shape, at) =>
        states.includes(at) ? random.state(shape, 'float32', scale) : random.tensor(shape, scale),
      );
      const loss = weighted(build(inputs, random), random);
      const gradients = Object.fromEntries(
        gradient(loss, inputs).map((each, at) => [`by ${at}`, each]),
      );
      const recorded = trace(gradients).program.nodes.map((node) => node.op);
      expect(recorded).toEqual(expect.arrayContaining([...ops]));
      const expected = await reference(gradients);
      const graph = await compile(gradients, new Map(), { backend: nativeBackend() });
      const actual = await graph.run({});
      graph.dispose();
      for (const [name, { data }] of Object.entries(actual)) {
        expect(firstDifference(data, expected[name] ?? [], 3e-5, 3e-5), name).toBeUndefined();
      }
    },
  );
});
