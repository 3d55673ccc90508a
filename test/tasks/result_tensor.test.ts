import { describe, expect, it } from 'vitest';
import { ResultTensor } from '../../lib/tasks/result_tensor.js';
import { cos_sim, dot, layer_norm, matmul, softmax } from '../../lib/tasks/vector_maths.js';

/** [2, 3, 2], the numbers 0 to 11. */
const cube = ResultTensor.of(
  Float32Array.from({ length: 12 }, (_, i) => i),
  [2, 3, 2],
);
const [low, high] = [
  [
    [0, 1],
    [2, 3],
    [4, 5],
  ],
  [
    [6, 7],
    [8, 9],
    [10, 11],
  ],
];
const rows = ResultTensor.of(Float32Array.of(3, 4, 0, 0, 6, 8), [3, 2]);

describe('a result has the members that programs of @huggingface/transformers use', () => {
  it.each<[string, (tensor: ResultTensor) => ResultTensor, unknown]>([
    ['[1]', (t) => t[1], high],
    ['[-1]', (t) => t[-1], high],
    ['[1][2]', (t) => t[1][2], [10, 11]],
    ['iteration', (t) => [...t][0], low],
    ['slice(null, 0)', (t) => t.slice(null, 0), [low[0], high[0]]],
    ['slice(null, -1)', (t) => t.slice(null, -1), [low[2], high[2]]],
    ['slice(1, [0, 2])', (t) => t.slice(1, [0, 2]), high.slice(0, 2)],
    ['slice([1, null], null, [0, 1])', (t) => t.slice([1, null], null, [0, 1]), [[[6], [8], [10]]]],
    ['slice(null, [-1, 9])', (t) => t.slice(null, [-1, 9]), [[low[2]], [high[2]]]],
    [
      'slice(0).transpose(1, 0)',
      (t) => t.slice(0).transpose(1, 0),
      [
        [0, 2, 4],
        [1, 3, 5],
      ],
    ],
    ['view(2, -1)', (t) => t.view(2, -1), [low.flat(), high.flat()]],
    ['flatten()', (t) => t.flatten(), [...low.flat(), ...high.flat()]],
    ['slice([0, 1]).squeeze(0)', (t) => t.slice([0, 1]).squeeze(0), low],
    ['slice([0, 1], [0, 1]).squeeze()', (t) => t.slice([0, 1], [0, 1]).squeeze(), [0, 1]],
    ['unsqueeze(0)', (t) => t.unsqueeze(0), [[low, high]]],
    [
      'mean(1)',
      (t) => t.mean(1),
      [
        [2, 3],
        [8, 9],
      ],
    ],
    ['sum(-1, true)', (t) => t.slice(0).sum(-1, true), [[1], [5], [9]]],
    ['sum()', (t) => t.sum(), 66],
    ['mul(2).add(1).sub(3).div(2)', (t) => t.slice(0, 1).mul(2).add(1).sub(3).div(2), [1, 2]],
    [
      'normalize(2, -1)',
      () => rows.normalize(2, -1),
      [
        [0.6, 0.8],
        [0, 0],
        [0.6, 0.8],
      ].map((row) => row.map(Math.fround)),
    ],
    ['norm(2, 1)', () => rows.norm(2, 1), [5, 0, 10]],
    [
      'normalize(1, 0)',
      () => rows.normalize(1, 0),
      [
        [3 / 9, 4 / 12],
        [0, 0],
        [6 / 9, 8 / 12],
      ].map((row) => row.map(Math.fround)),
    ],
  ])('%s', (_, of, expected) => {
    expect(of(cube).tolist()).toEqual(expected);
  });

  it('is iterated by numbers where it is a vector, and has its one number', () => {
    expect([...cube[0][1]]).toEqual([2, 3]);
    expect([cube[1][0][1].item(), cube[1][0][1].dims]).toEqual([7, []]);
    expect(Array.from(cube[1].data)).toEqual(high.flat());
    expect(cube.clone().data).not.toBe(cube.data);
    expect([String(cube), 'then' in cube]).toEqual(['[object Object]', false]);
  });

  it.each<[string, () => unknown, string]>([
    ['[2]', () => cube[2], 'ERR_ARGUMENT'],
    ['slice(2)', () => cube.slice(2), 'ERR_ARGUMENT'],
    ['slice([2, 1])', () => cube.slice(null, [2, 1]), 'ERR_ARGUMENT'],
    ['slice of text', () => cube.slice('0' as never), 'ERR_ARGUMENT'],
    ['permute(0, 0, 1)', () => cube.permute(0, 0, 1), 'ERR_ARGUMENT'],
    ['permute(0, 1, 2, -1)', () => cube.permute(0, 1, 2, -1), 'ERR_ARGUMENT'],
    ['permute(0, 1)', () => cube.permute(0, 1), 'ERR_ARGUMENT'],
    ['view(5, -1)', () => cube.view(5, -1), 'ERR_SHAPE'],
    ['view(-1, -1)', () => cube.view(-1, -1), 'ERR_SHAPE'],
    ['item()', () => cube.item(), 'ERR_SHAPE'],
    ['normalize(2, 3)', () => cube.normalize(2, 3), 'ERR_ARGUMENT'],
    ['dot', () => dot([1, 2], [1]), 'ERR_SHAPE'],
    ['layer_norm', () => layer_norm(rows, [3]), 'ERR_SHAPE'],
  ])('%s is refused', (_, body, code) => {
    expect(body).toThrow(expect.objectContaining({ name: 'HeddleError', code }));
  });
});

describe('functions beside the pipelines', () => {
  it('compare vectors', async () => {
    expect([dot([1, 2], Float32Array.of(3, 4)), cos_sim([3, 4], [4, 3])]).toEqual([11, 0.96]);
    expect(cos_sim(rows[0].data, rows[2].data)).toBeCloseTo(1, 12);
    expect((await matmul(rows, rows.transpose(1, 0))).tolist()).toEqual([
      [25, 0, 50],
      [0, 0, 0],
      [50, 0, 100],
    ]);
    await expect(matmul(rows, rows)).rejects.toMatchObject({ code: 'ERR_SHAPE' });
  });

  it('normalise', () => {
    expect(softmax([0, Math.log(3)])).toEqual([expect.closeTo(0.25, 12), expect.closeTo(0.75, 12)]);
    expect(softmax(Float32Array.of(1, 1))).toEqual(Float32Array.of(0.5, 0.5));
    const normal = layer_norm(rows, [2]).data;
    expect(Array.from(normal, (value) => Math.round(value * 1000) / 1000)).toEqual([
      -1, 1, 0, 0, -1, 1,
    ]);
  });
});
