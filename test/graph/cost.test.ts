import { describe, expect, it } from 'vitest';
import { costOf } from '../../lib/graph/cost.js';
import { fuse } from '../../lib/graph/fuse.js';
import { trace } from '../../lib/graph/program.js';
import { SymbolicDim } from '../../lib/graph/shape.js';
import { State } from '../../lib/graph/state.js';
import { input, stateTensor, type Tensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';

const parameter = (...shape: number[]): Tensor =>
  stateTensor(new State('weight', shape, 'float32', { kind: 'zeros' }));
const offsets = Int32Array.of(0, 2, 7);
const keyOffsets = Int32Array.of(0, 4, 5);
const heads = 2;

describe('costOf', () => {
  const rows = new SymbolicDim('rows');

  it('counts 2·M·K·N operations for a linear layer at its actual size', () => {
    const x = input('x', [rows, 3], 'float32');
    const { program } = trace({ y: ops.linear(x, parameter(5, 3)) });
    expect(costOf(program, [7])).toMatchObject({
      flops: 2 * 7 * 3 * 5,
      bytes: 4 * (7 * 3 + 5 * 3 + 7 * 5),
    });
    expect(costOf(program, [14]).flops).toBe(2 * 14 * 3 * 5);
  });

  it('counts Σ queries·keys pairs for packed attention', () => {
    const x = (name: string, count: number): Tensor => input(name, [count, 8], 'float32');
    const attended = ops.attention(x('q', 7), x('k', 5), x('v', 5), {
      heads,
      segments: input('segments', [3], 'int32'),
      keySegments: input('keySegments', [3], 'int32'),
    });
    const { program } = trace({ attended });
    const given: Record<string, Int32Array> = { segments: offsets, keySegments: keyOffsets };
    const inputs = program.inputs.map(({ name }) => given[name]);
    const perPair = 2 * (8 + 8) + 12 * heads; // q·k and weight·v, and the softmax of each head
    expect(costOf(program, [], inputs).flops).toBe((2 * 4 + 5 * 1) * perPair);
    expect(costOf(program).flops).toBe(7 * 5 * perPair);
  });

  it.each([
    { window: { left: 1, right: 1 }, pairs: 2 * 2 + 5 * 3 },
    { window: { left: 1, right: 0 }, pairs: 2 * 2 + 5 * 2 },
    { window: { left: 9, right: 0 }, pairs: 2 * 2 + 5 * 5 },
    { causal: true, pairs: 2 * 2 + 5 * 5 },
  ])(
    'counts no more keys of a query than its window is wide: $pairs pairs',
    ({ pairs, ...seen }) => {
      const x = input('x', [7, 8], 'float32');
      const segments = input('segments', [3], 'int32');
      const { program } = trace({ attended: ops.attention(x, x, x, { heads, segments, ...seen }) });
      const inputs = program.inputs.map(({ name }) => (name === 'segments' ? offsets : undefined));
      expect(costOf(program, [], inputs).flops).toBe(pairs * (2 * (8 + 8) + 12 * heads));
    },
  );

  it('lists the nodes in order of execution, with absent operands and fused ones', () => {
    const x = input('x', [rows, 4], 'float32');
    const hidden = ops.relu(ops.linear(x, parameter(4, 4), parameter(4)));
    const { program } = trace({ y: ops.softmax(ops.add(hidden, x)).named('weights') });
    const plain = costOf(program, [3]);
    expect(plain.nodes.map(({ op }) => op)).toEqual(['linear', 'activation', 'add', 'softmax']);
    expect(plain.nodes.at(-1)?.name).toBe('weights');
    expect(plain.flops).toBe(plain.nodes.reduce((sum, node) => sum + node.flops, 0));
    const fused = costOf(fuse(program), [3]);
    expect(fused.nodes.map(({ op }) => op)).toEqual(['linear', 'softmax']);
    expect(fused.bytes).toBeLessThan(plain.bytes);
  });
});
