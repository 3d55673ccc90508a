import { describe, expect, it } from 'vitest';
import { run } from '../../lib/graph/run.js';
import { tensor } from '../../lib/graph/tensor.js';
import type { RowPlan } from '../../lib/models/step_graph.js';
import { resultsOf } from '../../lib/models/step_results.js';
import * as ops from '../../lib/ops/index.js';

const vocabSize = 300;

describe('the best of a row whose blocks were asked for beside it', () => {
  it.each<[string, Record<number, number>]>([
    ['of equal ones the first', { 140: 5, 141: 5, 260: 5 }],
    ['infinite', { 7: Infinity, 260: 5 }],
    ['NaN in a block after an infinite one', { 7: Infinity, 260: Number.NaN }],
    ['the first NaN', { 131: Number.NaN, 260: Number.NaN, 3: 9 }],
  ])('is as argmax has it: %s', async (_, given) => {
    const row = Float32Array.from({ length: vocabSize }, (_, id) => given[id] ?? -id / 100);
    const x = tensor(row, [1, vocabSize]);
    const [best, blocks] = await Promise.all([
      run(ops.argmax(x)),
      run(ops.logitBlocks(x, tensor(Float32Array.of(1), [1]))),
    ]);
    const item = { wanted: 1, wantsLogits: 'best' } as RowPlan;
    expect(resultsOf({ blocks }, [item], vocabSize)).toEqual([best.data]);
  });
});
