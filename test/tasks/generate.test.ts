import { describe, expect, it } from 'vitest';
import type { DecoderModel } from '../../lib/tasks/decoder_model.js';
import { load } from '../../lib/tasks/load.js';
import type { LoadProgress } from '../../lib/tasks/load_options.js';
import { fixture, ids } from '../models/decoders.js';
import { nativeBackend } from '../native.js';

const open = async (name = 'llama/1'): Promise<DecoderModel> =>
  (await load(fixture(name))) as DecoderModel;

const options = { maxNewTokens: 12, eosTokenId: null };
const prompts = [ids(20, 1), ids(3, 2), ids(60, 3), ids(9, 4)].map((inputIds) => ({ inputIds }));

describe('generate', () => {
  it('gives each of several prompts what it gets alone, and all in shared runs', async () => {
    using model = await open();
    const alone = [];
    for (const prompt of prompts) alone.push(...(await model.generate(prompt, options)));
    expect(alone.every(({ ids: made }) => made.length === 12)).toBe(true);
    const before = nativeBackend().addon.counters().runs;
    expect(await model.generate(prompts, options)).toEqual(alone);
    // One run reads the prompts; each of the others writes a token of every text.
    expect(nativeBackend().addon.counters().runs - before).toBeLessThanOrEqual(12 + 3);
  });

  it('streams the same tokens, beside others that come and go', async () => {
    using model = await open();
    const expected = await model.generate(prompts, options);
    const streams = prompts.map(async (prompt, i) => {
      for (let turn = 0; turn < i; turn++) await new Promise((resolve) => setTimeout(resolve, 2));
      const made: number[] = [];
      for await (const { id } of model.stream(prompt, options)) made.push(id);
      return made;
    });
    expect(await Promise.all(streams)).toEqual(expected.map(({ ids: made }) => made));
    expect(model.engine.pages.inUse).toBe(0);
  });

  it('ends at an id that ends texts, at its length, and where positions end', async () => {
    using model = await open();
    const [{ ids: made }] = await model.generate(prompts[0], options);
    const eosTokenId = [made[4], 66];
    const [short] = await model.generate(prompts[0], { maxNewTokens: 12, eosTokenId });
    expect(short.finishReason).toBe('stop');
    expect(short.ids).toEqual(made.slice(0, made.indexOf(made[4]) + 1));
    const [full] = await model.generate({ inputIds: ids(90) }, options);
    expect(full).toMatchObject({ finishReason: 'length', ids: { length: 6 } });
  });

  it('ends within one token of an abort, and gives its pages back', async () => {
    using model = await open();
    const abort = new AbortController();
    const made: number[] = [];
    const streaming = async (): Promise<void> => {
      for await (const { id } of model.stream(prompts[0], { ...options, signal: abort.signal })) {
        made.push(id);
        if (made.length === 3) abort.abort(new Error('enough'));
      }
    };
    await expect(streaming()).rejects.toThrow('enough');
    expect(made.length).toBe(3);
    expect(model.engine.pages.inUse).toBe(0);
    const signal = AbortSignal.abort(new Error('never'));
    await expect(model.generate(prompts, { ...options, signal })).rejects.toThrow('never');
    for await (const { id } of model.stream(prompts[1], options)) {
      expect(id).toBeGreaterThanOrEqual(0);
      break;
    }
    expect(model.engine.pages.inUse).toBe(0);
  });

  it('does not hold a short prompt up behind a long one', async () => {
    using model = await open();
    const order: string[] = [];
    const { steps, engine } = model;
    const chunked = new (steps.constructor as new (...of: unknown[]) => typeof steps)(engine, {
      alone: 16,
      beside: 8,
    });
    const step = async (name: string, given: number[]): Promise<void> => {
      const sequence = chunked.begin();
      await chunked.step([{ sequence, ids: given }]);
      order.push(name);
      chunked.free(sequence);
    };
    await Promise.all([step('long', ids(90, 7)), step('short', ids(5, 8)), step('one', [4])]);
    expect(order.at(-1)).toBe('long');
    expect(engine.pages.inUse).toBe(0);
  });

  it('draws the best at a temperature that float32 does not hold', async () => {
    using model = await open();
    const [best] = await model.generate(prompts[0], { ...options, temperature: 0 });
    const [drawn] = await model.generate(prompts[0], { ...options, temperature: 1e-320 });
    expect(drawn.ids).toEqual(best.ids);
  });

  it('refuses what it cannot continue, and goes on', async () => {
    using model = await open();
    const wrong: [prompt: unknown, options: object, code: string, message: RegExp][] = [
      ['a text', {}, 'ERR_UNSUPPORTED', /tokenizer/],
      [{ inputIds: [] }, {}, 'ERR_INPUT', /prompt: expected an array of at least one id/],
      [{ inputIds: ids(96) }, {}, 'ERR_INPUT', /prompt.*context of 96.*96/],
      [{ inputIds: [1, 1000] }, {}, 'ERR_INPUT', /prompt\[1\].*1000/],
      [7, {}, 'ERR_ARGUMENT', /a text, \{ inputIds \}.*7/],
      [prompts[0], { maxNewTokens: 0 }, 'ERR_ARGUMENT', /maxNewTokens/],
      [prompts[0], { maxNewToken: 3 }, 'ERR_ARGUMENT', /'maxNewToken'/],
      [prompts[0], { eosTokenId: 'a' }, 'ERR_ARGUMENT', /eosTokenId.*'a'/],
    ];
    for (const [prompt, given, code, message] of wrong) {
      await expect(model.generate(prompt as never, given)).rejects.toMatchObject({
        name: 'HeddleError',
        code,
        message: expect.stringMatching(message),
      });
    }
    expect((await model.generate(prompts[0], options))[0].ids.length).toBe(12);
  });

  it('is not there for models that only read', async () => {
    using model = await load(fixture('bert/a'));
    await expect(model.generate('a')).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    await expect(model.stream('a').next()).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });

  it('leaves nothing behind', async () => {
    const { addon } = nativeBackend();
    const before = addon.counters();
    for (let i = 0; i < 3; i++) {
      const model = await open();
      const pending = model.generate(prompts, options);
      model.dispose();
      await pending.catch(() => undefined);
      await expect(model.generate(prompts[0])).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
    }
    const { states, plans } = addon.counters();
    expect({ states, plans }).toEqual({ states: before.states, plans: before.plans });
  });

  it('leaves nothing behind where the model is aborted while it loads', async () => {
    const { addon } = nativeBackend();
    const { states } = addon.counters();
    const abort = new AbortController();
    const onProgress = ({ stage }: LoadProgress): void => {
      if (stage === 'load') abort.abort(new Error('enough'));
    };
    const loading = load(fixture('llama/1'), { signal: abort.signal, onProgress });
    await expect(loading).rejects.toThrow('enough');
    expect(addon.counters().states).toBe(states);
  });
});
