import { describe, expect, it } from 'vitest';
import { load } from '../../lib/tasks/load.js';
import { runModels } from '../../scripts/conformance/models.mjs';

const folder = new URL('../fixtures/models', import.meta.url).pathname;

describe('models agree with PyTorch', async () => {
  for await (const { family, variant, name, error } of runModels(load, folder)) {
    it(`${family}/${variant} ${name}`, () => expect(error).toBeUndefined());
  }
});
