import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pack } from '../../lib/layers/index.js';
import { loadTrainable } from '../../lib/tasks/load_trainable.js';
import { fixture, tinyBert } from './tiny_model.js';

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

  it("records an encoder's outputs for each token and for each text", async () => {
    using tokens = await loadTrainable(tinyBert);
    expect(tokens.forward(pack([[1, 2, 3], [4]])).lastHiddenState?.shape).toEqual([4, 32]);
    using classifier = await loadTrainable(fixture('tasks/classify'));
    expect(classifier.forward(pack([[1, 2, 3], [4]])).logits?.shape).toEqual([2, 3]);
  });
});
