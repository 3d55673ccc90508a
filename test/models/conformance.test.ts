import { describe, expect, it } from 'vitest';
import { load } from '../../lib/tasks/load.js';
import { runModels } from '../../scripts/conformance/models.mjs';
import { script } from '../cli/heddle.js';

const folder = new URL('../fixtures/models', import.meta.url).pathname;

describe('models agree with PyTorch', async () => {
  for await (const { family, variant, name, error } of runModels(load, folder)) {
    it(`${family}/${variant} ${name}`, () => expect(error).toBeUndefined());
  }

  it('on the TypeScript backend, too', async () => {
    const env = { HEDDLE_BACKEND: 'reference' };
    const { code, stdout } = await script('conformance.mjs', ['models', folder, '--json'], env);
    expect(JSON.parse(stdout).failures).toEqual([]);
    expect(code).toBe(0);
  });
});
