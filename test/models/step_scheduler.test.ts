import { afterEach, describe, expect, it, vi } from 'vitest';
import { pageBytes } from '../../lib/layers/kv_cache.js';
import { CachedSequence } from '../../lib/models/cached_sequence.js';
import type { PagedEngine } from '../../lib/models/paged_engine.js';
import { StepScheduler } from '../../lib/models/step_scheduler.js';
import { decoderOf, engineOf, ids } from './decoders.js';

const engines: PagedEngine[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const engine of engines.splice(0)) engine.dispose();
});

/** A scheduler over an engine with room for so many pages. */
async function scheduler(pages?: number): Promise<StepScheduler> {
  const each = pageBytes((await decoderOf('llama/1')).cacheShape, 'float32');
  const engine = await engineOf('llama/1', pages === undefined ? {} : { bytes: pages * each });
  engines.push(engine);
  return new StepScheduler(engine);
}

/** What follows a prompt, greedily, a step a token. */
async function written(steps: StepScheduler, prompt: number[], count: number): Promise<number[]> {
  const sequence = steps.begin();
  const found: number[] = [];
  let next = prompt;
  for (let i = 0; i < count; i++) {
    const [[id]] = await steps.step([{ sequence, ids: next, wantsLogits: 'best' }]);
    found.push(id!);
    next = [id!];
  }
  steps.free(sequence);
  return found;
}

describe('StepScheduler', () => {
  it('lets the texts that came first go on where the cache has no room for all', async () => {
    const prompts = Array.from({ length: 6 }, (_, i) => ids(58, i));
    const roomy = await scheduler();
    const expected: number[][] = [];
    for (const prompt of prompts) expected.push(await written(roomy, prompt, 30));
    // Each text begins with one page, and soon has two.
    const steps = await scheduler(7);
    const drop = vi.spyOn(CachedSequence.prototype, 'drop');
    const ended: number[] = [];
    const found = await Promise.all(
      prompts.map(async (prompt, i) => {
        const text = await written(steps, prompt, 30);
        ended.push(i);
        return text;
      }),
    );
    expect(found).toEqual(expected);
    expect(ended).toEqual([0, 1, 2, 3, 4, 5]);
    // Taking turns, they would lose their memory at almost every one of their 180 tokens.
    const atEnds = prompts.length;
    expect(drop.mock.calls.length - atEnds).toBeLessThan(12);
  });
});
