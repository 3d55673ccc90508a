import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pack } from '../../lib/layers/index.js';
import { loadTrainable } from '../../lib/tasks/load_trainable.js';
import { tinyBert } from './tiny_model.js';

const llama = join(dirname(dirname(dirname(tinyBert))), 'training/llama');

describe('loadTrainable', () => {
  it("records a decoder's logits, and has its parameters in float32", async () => {
    using model = await loadTrainable(llama);
    const { logits, lastHiddenState } = model.forward(pack([[1, 2, 3], [4]]));
    expect(logits?.shape).toEqual([4, 13]);
    expect(lastHiddenState?.shape).toEqual([4, 12]);
    const parameters = [...model.parameters];
    expect(parameters.length).toBe(12);
    expect(new Set(parameters.map(({ dtype }) => dtype))).toEqual(new Set(['float32']));
  });

  it('opens an encoder', async () => {
    using model = await loadTrainable(tinyBert);
    expect(model.forward(pack([[1, 2, 3]])).lastHiddenState?.shape).toEqual([3, 32]);
  });
});
