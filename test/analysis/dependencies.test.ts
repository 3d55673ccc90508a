import { describe, expect, it } from 'vitest';
import { countOperations, pathLengths } from '../../lib/analysis/dependencies.js';
import { SymbolicDim } from '../../lib/graph/shape.js';
import { State } from '../../lib/graph/state.js';
import { input, stateTensor, type Tensor, tensor } from '../../lib/graph/tensor.js';
import * as nn from '../../lib/layers/index.js';
import * as ops from '../../lib/ops/index.js';

const state = (...shape: number[]): Tensor =>
  stateTensor(new State('weight', shape, 'float32', { kind: 'zeros' }));
const rows = (count: number, width = 4): Tensor => input('x', [count, width], 'float32');
const sequence = (length: number) => nn.pack([Array.from({ length }, () => 0)]);

describe('countOperations', () => {
  it('adds up work and finds the longest chain', () => {
    const x = rows(3);
    const left = ops.relu(ops.linear(x, state(5, 4)));
    const right = ops.linear(x, state(5, 4));
    expect(countOperations(ops.add(left, right))).toEqual({
      flops: 2 * (2 * 3 * 4 * 5) + 8 * 15 + 15,
      sequential: 3,
    });
    expect(countOperations(ops.add(right, left)).sequential).toBe(3);
    expect(countOperations(x)).toEqual({ flops: 0, sequential: 0 });
    expect(countOperations(state(2))).toEqual({ flops: 0, sequential: 0 });
  });

  it('counts a node once, however many paths lead to it', () => {
    let x = rows(2);
    for (let i = 0; i < 60; i++) x = ops.add(x, x); // 2^60 paths
    expect(countOperations(x)).toEqual({ flops: 60 * 8, sequential: 60 });
  });

  it('refuses sizes that are not known', () => {
    const x = input('x', [new SymbolicDim('rows'), 4], 'float32');
    expect(() => countOperations(x)).toThrow(expect.objectContaining({ code: 'ERR_SHAPE' }));
    expect(() => countOperations({} as never)).toThrow(
      expect.objectContaining({ code: 'ERR_ARGUMENT' }),
    );
  });
});

describe('pathLengths', () => {
  it('keeps rows apart that an op keeps apart', () => {
    const x = rows(3);
    const y = ops.layerNorm(ops.gelu(x), undefined, undefined, 1e-5);
    expect(pathLengths(y, x)).toEqual([
      [2, Infinity, Infinity],
      [Infinity, 2, Infinity],
      [Infinity, Infinity, 2],
    ]);
  });

  it('sees masks: causal, windows, segments', () => {
    const x = rows(4);
    const seen = (options: Partial<ops.AttentionOptions>, segments = [0, 4]) => {
      const all = { heads: 2, segments: tensor(Int32Array.from(segments)), ...options };
      return pathLengths(ops.attention(x, x, x, all), x).map((row) =>
        row.map((length) => (length === 1 ? 'x' : '.')).join(''),
      );
    };
    expect(seen({})).toEqual(['xxxx', 'xxxx', 'xxxx', 'xxxx']);
    expect(seen({ causal: true })).toEqual(['x...', 'xx..', 'xxx.', 'xxxx']);
    expect(seen({ window: { left: 1, right: 0 } })).toEqual(['x...', 'xx..', '.xx.', '..xx']);
    expect(seen({}, [0, 1, 4])).toEqual(['x...', '.xxx', '.xxx', '.xxx']);
  });

  it('takes the shortest of several paths', () => {
    const x = rows(2);
    const long = ops.relu(ops.relu(ops.relu(x)));
    expect(pathLengths(ops.add(long, ops.scale(x, 2)), x)).toEqual([
      [2, Infinity],
      [Infinity, 2],
    ]);
  });

  it('is Infinity where nothing depends, and 0 from a tensor to itself', () => {
    const x = rows(2);
    expect(pathLengths(rows(1), x)).toEqual([[Infinity, Infinity]]);
    expect(pathLengths(x, x)).toEqual([
      [0, Infinity],
      [Infinity, 0],
    ]);
  });

  it('follows a whole encoder layer: each position reaches each, and itself the shortest way', () => {
    const x = rows(5, 8);
    const layer = new nn.EncoderLayer({ dModel: 8, numHeads: 2, dFeedForward: 16 });
    const lengths = pathLengths(layer.forward(x, sequence(5)), x);
    // add, norm, add, norm around; or v_proj, attention, out_proj before them
    expect(lengths).toEqual(lengths.map((_, i) => lengths.map((_, j) => (i === j ? 4 : 7))));
  });

  it('refuses what it cannot follow', () => {
    const x = rows(2);
    const ids = input('ids', [2], 'int32');
    expect(() => pathLengths(ops.embedding(x, ids), x)).toThrow(
      expect.objectContaining({ code: 'ERR_UNSUPPORTED' }),
    );
    const x1 = rows(2, 1); // one number less its mean, divided by its deviation: 0 / 0
    expect(() => pathLengths(ops.layerNorm(x1, undefined, undefined, 0), x1)).toThrow(
      expect.objectContaining({ code: 'ERR_UNSUPPORTED' }),
    );
    const many = rows(5000);
    expect(() => pathLengths(ops.relu(many), many)).toThrow(
      expect.objectContaining({ code: 'ERR_ARGUMENT' }),
    );
    const wide = rows(2000, 1024);
    const segments = tensor(Int32Array.of(0, 2000));
    expect(() =>
      pathLengths(ops.attention(wide, wide, wide, { heads: 1, segments }), wide),
    ).toThrow(
      expect.objectContaining({
        code: 'ERR_ARGUMENT',
        message: expect.stringMatching(/take at most/),
      }),
    );
    const unknown = input('x', [new SymbolicDim('rows'), 4], 'float32');
    expect(() => pathLengths(ops.relu(unknown), unknown)).toThrow(
      expect.objectContaining({ code: 'ERR_SHAPE' }),
    );
  });
});
