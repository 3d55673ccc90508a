import { describe, expect, it } from 'vitest';
import { placeValues } from '../../lib/graph/encode.js';
import { fuse } from '../../lib/graph/fuse.js';
import { gradient } from '../../lib/graph/gradient.js';
import { trace } from '../../lib/graph/program.js';
import { State } from '../../lib/graph/state.js';
import {
  furtherResult,
  inLayer,
  input,
  stateTensor,
  type Tensor,
  tensor,
} from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';

const weight = (...shape: number[]): Tensor =>
  stateTensor(new State('weight', shape, 'float32', { kind: 'zeros' }));
const zeros = (...shape: number[]): Tensor =>
  tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
const opsOf = (outputs: Record<string, Tensor>): string[] =>
  fuse(trace(outputs).program).nodes.map((node) => node.op);

describe('trace', () => {
  it('keeps what the outputs need, in recorded order', () => {
    const x = zeros(2, 3);
    const first = ops.relu(x);
    ops.tanh(x);
    const last = ops.add(first, ops.silu(x));
    const { program } = trace({ last });
    expect(program.nodes.map((node) => node.attributes.activation ?? node.op)).toEqual([
      'relu',
      'silu',
      'add',
    ]);
    expect(program.inputs).toHaveLength(1);
  });

  it('gives an output that is no result of an op, or is given twice, a copy of its own', () => {
    const x = zeros(2, 3);
    const y = ops.relu(x);
    const { program } = trace({ x, y, again: y });
    expect(program.nodes.map((node) => node.op)).toEqual(['activation', 'scale', 'scale']);
    expect(new Set(program.outputs.map((output) => output.value)).size).toBe(3);
  });

  it('can be posted to a worker', () => {
    const { program } = trace({ y: ops.linear(zeros(2, 3), weight(4, 3)) });
    expect(structuredClone(program)).toEqual(program);
  });
});

describe('fuse', () => {
  const x = zeros(2, 3);
  const w = weight(3, 3);

  it('makes one node of linear, activation and residual', () => {
    expect(opsOf({ y: ops.add(ops.gelu(ops.linear(x, w)), x) })).toEqual(['linear']);
    expect(opsOf({ y: ops.add(x, ops.linear(x, w)) })).toEqual(['linear']);
    expect(opsOf({ y: ops.gelu(ops.linear(x, w)) })).toEqual(['linear']);
  });

  it('makes one node of embedding and addition', () => {
    const rows = ops.embedding(weight(5, 3), tensor(Int32Array.of(1, 2)));
    expect(opsOf({ y: ops.add(rows, x) })).toEqual(['embedding']);
  });

  it('makes one node of a product and an addition: of two products, the later one', () => {
    const [first, second] = [ops.matmul(x, zeros(3, 3)), ops.matmul(x, zeros(3, 3))];
    const { nodes } = fuse(trace({ y: ops.add(ops.add(first, second), x) }).program);
    expect(nodes.map((node) => node.op)).toEqual(['matmul', 'matmul', 'add']);
    expect(nodes[1]?.operands[3]).toBe(nodes[0]?.result);
    const [left, right] = [ops.matmul(x, zeros(3, 3)), ops.matmul(x, zeros(3, 3))];
    expect(opsOf({ y: ops.add(right, left) })).toEqual(['matmul', 'matmul']);
  });

  it('leaves a product of a state alone that is written before the addition', () => {
    const state = weight(3, 3);
    const product = ops.matmul(x, state);
    const write = ops.assign(state, zeros(3, 3));
    const { nodes } = fuse(trace({ y: ops.add(product, x) }, [write]).program);
    expect(nodes.map((node) => node.op)).toEqual(['matmul', 'assign', 'add']);
  });

  it('leaves an activation after a residual alone', () => {
    expect(opsOf({ y: ops.gelu(ops.add(ops.linear(x, w), x)) })).toEqual(['linear', 'activation']);
  });

  it('leaves values alone that others read or that are outputs', () => {
    const product = ops.linear(x, w);
    expect(opsOf({ y: ops.gelu(product), product })).toEqual(['linear', 'activation']);
    const twice = ops.linear(x, w);
    expect(opsOf({ y: ops.add(ops.gelu(twice), twice) })).toEqual(['linear', 'activation', 'add']);
  });

  it('leaves the addition of a bias to every row alone', () => {
    expect(opsOf({ y: ops.add(ops.linear(x, w), zeros(3)) })).toEqual(['linear', 'add']);
  });

  it('has the residual computed before the node that adds it', () => {
    const product = ops.linear(x, w);
    const later = ops.relu(ops.scale(x, 2));
    const nodes = fuse(trace({ y: ops.add(product, later) }).program).nodes;
    expect(nodes.map((node) => node.op)).toEqual(['scale', 'activation', 'linear']);
  });
});

describe('a further result', () => {
  const q = input('q', [5, 6], 'float32');
  const attend = (): Tensor =>
    ops.attention(q, q, q, { heads: 2, segments: tensor(Int32Array.of(0, 5)) });
  const total = (x: Tensor): Tensor =>
    ops.columnSums(ops.matmul(x, zeros(x.shape[1] as number, 1)));

  it('is computed, by the node of the first, where something reads it alone', () => {
    const y = attend();
    expect(trace({ y }).program.nodes.map((node) => node.further)).toEqual([[-1]]);
    const sums = furtherResult(y, 0);
    const { program } = trace({ y, sums, again: ops.relu(furtherResult(y, 0)) });
    expect(program.nodes.map((node) => node.op)).toEqual(['attention', 'activation']);
    const [attention, activation] = program.nodes;
    expect(attention?.further).toEqual(activation?.operands);
    expect(program.outputs[1]?.value).toBe(attention?.further[0]);
    expect(program.values[attention?.further[0] ?? -1]?.shape).toEqual([5, 4]);
  });

  it('has a place of its own in the arena, also after fusion', () => {
    const [byQ] = gradient(total(attend()), [q]);
    const program = fuse(trace({ byQ: byQ as Tensor }).program);
    const attention = program.nodes.find((node) => node.op === 'attention');
    const { offsets } = placeValues(program, []);
    const places = [attention?.result, ...(attention?.further ?? [])].map(
      (at) => offsets[at ?? -1],
    );
    expect(places[0]).toBeGreaterThanOrEqual(0);
    expect(places[1]).toBeGreaterThanOrEqual(0);
    expect(places[0]).not.toBe(places[1]);
  });

  it('has no gradient', () => {
    const loss = total(furtherResult(attend(), 0));
    expect(() => gradient(loss, [q])).toThrow(/attention: .* its result statistics/);
  });
});

describe('errors of shape', () => {
  it('name the op, the layer, what was expected and what was found', () => {
    const wrong = (): Tensor =>
      inLayer('encoder.layer.3', () => ops.linear(zeros(2, 5), weight(4, 3)));
    expect(wrong).toThrow(
      expect.objectContaining({
        code: 'ERR_SHAPE',
        message:
          'linear in encoder.layer.3: x: expected 3 columns, found 5 (x float32[2, 5], weight float32[4, 3])',
      }),
    );
  });

  it.each<[string, () => unknown]>([
    ['ragged nested arrays', () => tensor([[1, 2], [3]])],
    ['too few numbers', () => tensor(new Float32Array(3), [2, 2])],
    ['a negative dimension', () => tensor(new Float32Array(0), [-1, 0])],
    ['five dimensions', () => tensor(new Float32Array(1), [1, 1, 1, 1, 1])],
    ['rows that differ', () => ops.add(zeros(2, 3), zeros(3, 3))],
    ['an int32 operand', () => ops.relu(tensor(Int32Array.of(1)))],
    ['a float index', () => ops.embedding(weight(5, 3), zeros(2))],
    ['inner sizes that differ', () => ops.matmul(zeros(2, 3), zeros(4, 2))],
    [
      'heads that do not divide the width',
      () =>
        ops.attention(zeros(2, 6), zeros(2, 6), zeros(2, 6), {
          heads: 4,
          segments: tensor(Int32Array.of(0, 2)),
        }),
    ],
    ['a vector where a matrix belongs', () => ops.layerNorm(zeros(6), undefined, undefined, 1e-5)],
  ])('are thrown for %s', (_, wrong) => {
    expect(wrong).toThrow(expect.objectContaining({ name: 'HeddleError', code: 'ERR_SHAPE' }));
  });

  it('are thrown for writing to what is no state', () => {
    expect(() => ops.assign(zeros(2), zeros(2))).toThrow(
      expect.objectContaining({ code: 'ERR_ARGUMENT' }),
    );
  });
});
