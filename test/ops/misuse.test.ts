import { describe, expect, it } from 'vitest';
import { compile } from '../../lib/graph/run.js';
import type { Tensor } from '../../lib/graph/tensor.js';
import { tensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';
import { nativeBackend } from '../native.js';
import { reference } from '../reference.js';
import { ints } from './op_case.js';

const zeros = (...shape: number[]): Tensor =>
  tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
const rows = zeros(3, 8);

interface Rope {
  x?: Tensor;
  positions?: Tensor;
  heads?: number;
  fine?: Tensor;
  coarse?: Tensor;
}
const rope = ({ x = rows, positions = ints([0, 1, 15]), heads = 2, ...tables }: Rope): Tensor => {
  const { fine = zeros(4, 4), coarse = zeros(4, 4) } = tables;
  return ops.rope(x, positions, { heads, tables: { fine, coarse } });
};

interface Scores extends Partial<ops.AttentionOptions> {
  keys?: Tensor | undefined;
  queries?: Tensor | undefined;
  buckets?: Tensor;
}
const disentangled = ({ keys, queries, buckets = ints([0, 1, 2]), ...rest }: Scores): Tensor =>
  ops.attention(rows, rows, rows, {
    heads: 2,
    segments: ints([0, 3]),
    bias: { kind: 'disentangled', relativeKeys: keys, relativeQueries: queries, buckets },
    ...rest,
  });

const table = zeros(3, 8);
const unfold = (size: number, positions = ints([0, 1, 2])): Tensor =>
  ops.unfold(rows, { size, positions, segments: ints([0, 3]) });

describe('recording refuses', () => {
  it.each<[string, () => Tensor, string, RegExp]>([
    ['heads that do not divide', () => rope({ heads: 3 }), 'ERR_SHAPE', /x: .*3 heads divide.*8/],
    ['more angles than a head has', () => rope({ fine: zeros(4, 6) }), 'ERR_SHAPE', /fine.*4.*6/],
    ['an odd number of columns', () => rope({ fine: zeros(4, 3) }), 'ERR_SHAPE', /fine.*even.*3/],
    ['tables that differ', () => rope({ coarse: zeros(4, 2) }), 'ERR_SHAPE', /coarse.*4.*2/],
    ['positions of another length', () => rope({ positions: ints([1]) }), 'ERR_SHAPE', /positions/],
    ['no heads', () => rope({ heads: 0 }), 'ERR_ARGUMENT', /heads/],
    ['neither term', () => disentangled({}), 'ERR_ARGUMENT', /relativeKeys.*neither/],
    ['a narrower term', () => disentangled({ keys: zeros(3, 6) }), 'ERR_SHAPE', /relativeKeys.*8/],
    [
      'terms of two lengths',
      () => disentangled({ keys: table, queries: zeros(4, 8) }),
      'ERR_SHAPE',
      /relativeQueries.*\[3, 8\].*\[4, 8\]/,
    ],
    [
      'buckets that are floats',
      () => disentangled({ keys: table, buckets: rows }),
      'ERR_SHAPE',
      /buckets.*int32/,
    ],
    [
      'a soft-cap beside it',
      () => disentangled({ keys: table, softCap: 2 }),
      'ERR_ARGUMENT',
      /soft-cap 2/,
    ],
    ['an even number of neighbours', () => unfold(2), 'ERR_ARGUMENT', /odd.*2/],
    ['half a neighbour', () => unfold(1.5), 'ERR_ARGUMENT', /odd.*1\.5/],
    ['places of another number', () => unfold(3, ints([0])), 'ERR_SHAPE', /positions/],
  ])('%s', (_, record, code, message) => {
    expect(record).toThrow(
      expect.objectContaining({
        name: 'HeddleError',
        code,
        message: expect.stringMatching(message),
      }),
    );
  });
});

describe('both backends refuse', () => {
  it.each<[string, () => Tensor, string, RegExp]>([
    [
      'a position beyond the tables',
      () => rope({ positions: ints([0, 16, 1]) }),
      'ERR_INPUT',
      /positions\[1\].*16/,
    ],
    [
      'a position below zero',
      () => rope({ positions: ints([0, 0, -1]) }),
      'ERR_INPUT',
      /positions\[2\].*-1/,
    ],
    [
      'a bucket that is not there',
      () => disentangled({ keys: table, buckets: ints([0, 3, 0]) }),
      'ERR_INPUT',
      /buckets\[1\].*3/,
    ],
    [
      'buckets without a middle',
      () => disentangled({ queries: table, buckets: ints([0, 1]) }),
      'ERR_SHAPE',
      /buckets.*odd/,
    ],
  ])('%s', async (_, record, code, message) => {
    const expected = { code, message: expect.stringMatching(message) };
    await expect(reference({ result: record() })).rejects.toMatchObject(expected);
    const graph = await compile({ result: record() }, new Map(), { backend: nativeBackend() });
    await expect(graph.run({})).rejects.toMatchObject(expected);
    graph.dispose();
  });
});
