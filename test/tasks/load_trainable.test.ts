import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pack } from '../../lib/layers/index.js';
import { load } from '../../lib/tasks/load.js';
import { loadTrainable } from '../../lib/tasks/load_trainable.js';
import { fixture, temporaryFolder, tinyBert } from './tiny_model.js';

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

  it('puts a new head on a model of another task, and saves a classifier', async () => {
    using model = await loadTrainable(tinyBert, { labels: ['no', 'perhaps', 'yes'], seed: 5 });
    expect(model.forward(pack([[1, 2, 3], [4]])).logits?.shape).toEqual([2, 3]);
    const folder = join(await temporaryFolder(), 'classifier');
    await model.save(folder);
    using saved = await load(folder);
    expect(saved.architecture).toBe('BertForSequenceClassification');
    using base = await load(tinyBert);
    const outputs = ['lastHiddenState'];
    const inputs = { inputIds: [[1, 2, 3]] };
    expect(await saved.forward(inputs, { outputs })).toEqual(
      await base.forward(inputs, { outputs }),
    );
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
    expect(config.label2id).toEqual({ no: 0, perhaps: 1, yes: 2 });
  });

  it.each<[string, string, object, RegExp]>([
    ['a classifier', fixture('tasks/classify'), {}, /ERR_UNSUPPORTED.*does not classify/],
    ['a decoder', llama, {}, /ERR_UNSUPPORTED.*does not classify/],
    ['one class', tinyBert, { labels: ['a'] }, /ERR_ARGUMENT.*two or more/],
    ['a class twice', tinyBert, { labels: ['a', 'a'] }, /ERR_ARGUMENT.*different/],
    ['a trained adapter', tinyBert, { adapter: 'adapter' }, /ERR_ARGUMENT.*labels.*trained on/],
  ])('puts none beside %s', async (_, folder, options, message) => {
    const opening = loadTrainable(folder, { labels: ['a', 'b'], ...options });
    const { code, message: said } = await opening.catch((error) => error);
    expect(`${code} ${said}`).toMatch(message);
  });
});
