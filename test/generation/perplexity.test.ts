import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { perplexityOf } from '../../lib/generation/perplexity.js';
import type { PagedEngine } from '../../lib/models/paged_engine.js';
import { StepScheduler } from '../../lib/models/step_scheduler.js';
import { engineOf, ids } from '../models/decoders.js';

interface Case {
  model: string;
  ids: number[];
  window: number;
  stride: number;
  perplexity: number;
}

/** What PyTorch says; see scripts/fixtures/perplexity.py. */
const cases = JSON.parse(
  readFileSync(new URL('../fixtures/generation/perplexity.json', import.meta.url), 'utf8'),
) as Case[];

const engines = new Map<string, PagedEngine>();
async function engine(name: string): Promise<PagedEngine> {
  const made = engines.get(name) ?? (await engineOf(name));
  engines.set(name, made);
  return made;
}
afterAll(() => {
  for (const each of engines.values()) each.dispose();
});

describe('perplexity', () => {
  it.each([...new Set(cases.map(({ model }) => model))])("is PyTorch's for %s", async (name) => {
    const own = await engine(name);
    // Chunks that the scheduler cuts again.
    const steps = new StepScheduler(own, { alone: 32, beside: 16 });
    for (const { ids: text, window, stride, perplexity } of cases.filter(
      ({ model }) => model === name,
    )) {
      const found = await perplexityOf(steps, text, 96, { window, stride });
      expect(found.tokens).toBe(text.length - 1);
      expect(Math.abs(found.perplexity / perplexity - 1)).toBeLessThan(2e-5);
    }
    expect(own.pages.inUse).toBe(0);
  });

  it('is the same beside texts that are written, and when the text was read before', async () => {
    const own = await engine('llama/1');
    const steps = new StepScheduler(own, { alone: 32, beside: 16 });
    const text = ids(90);
    const alone = await perplexityOf(steps, text, 96);
    const other = steps.begin();
    await steps.step([{ sequence: other, ids: text }]);
    const writing = (async () => {
      for (let id = 3; id < 8; id++) await steps.step([{ sequence: other, ids: [id] }]);
    })();
    expect(await perplexityOf(steps, text, 96)).toEqual(alone);
    await writing;
    steps.free(other);
  });

  it('tells how far it is, and ends with an abort', async () => {
    const own = await engine('llama/1');
    const steps = new StepScheduler(own);
    const done: number[] = [];
    await perplexityOf(steps, ids(150), 96, { onProgress: (now) => done.push(now.done) });
    expect(done).toEqual(Array.from({ length: 149 }, (_, i) => i + 1));
    const abort = new AbortController();
    const onProgress = (): void => abort.abort(new Error('enough'));
    const ended = perplexityOf(steps, ids(150), 96, { signal: abort.signal, onProgress });
    await expect(ended).rejects.toThrow('enough');
    expect(own.pages.inUse).toBe(0);
  });

  it.each([
    [[5], {}, 'ERR_INPUT', /at least two ids, found 1/],

    [[5, 6], { window: 97 }, 'ERR_ARGUMENT', /window: expected a whole number from 2 to 96/],
    [[5, 6], { window: 1 }, 'ERR_ARGUMENT', /window/],
    [[5, 6], { window: 9, stride: 9 }, 'ERR_ARGUMENT', /stride: .* from 1 to 8, found 9/],
    [[5, 6], { strides: 9 }, 'ERR_ARGUMENT', /strides/],
  ])('refuses %o with %o', async (text, options, code, message) => {
    const steps = new StepScheduler(await engine('llama/1'));
    await expect(perplexityOf(steps, text, 96, options as object)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});
