/** What generation makes of wrong calls, and that the model goes on as if they had not been. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecoderModel } from '../../lib/tasks/decoder_model.js';
import { load } from '../../lib/tasks/load.js';
import { fixture, ids } from '../models/decoders.js';
import { nativeBackend } from '../native.js';
import { tinyFolder } from './tiny_model.js';

const open = async (folder: string): Promise<DecoderModel> => (await load(folder)) as DecoderModel;

const prompt = { inputIds: ids(70) };
const options = { maxNewTokens: 8, eosTokenId: null };
const messages = [{ role: 'user', content: 'w5' }];

/** A checkpoint with a tokenizer of words and a chat template. */
const folderWith = (chat_template: string): Promise<string> => {
  const vocab = Object.fromEntries(Array.from({ length: 60 }, (_, id) => [`w${id}`, id]));
  const model = { type: 'WordLevel', vocab, unk_token: 'w0' };
  return tinyFolder({
    from: fixture('llama/4'),
    tokenizer: false,
    files: {
      'tokenizer.json': { model, pre_tokenizer: { type: 'WhitespaceSplit' } },
      'tokenizer_config.json': { chat_template },
    },
  });
};

let model: DecoderModel;
let expected: readonly number[];
beforeAll(async () => {
  model = await open(await folderWith('{% for m in messages %}{{ m.content }} {% endfor %}'));
  [{ ids: expected }] = await model.generate(prompt, options);
});
afterAll(() => model.dispose());

/** Nothing is held, and the model writes what it wrote before. */
async function expectUsable(): Promise<void> {
  expect(model.engine.pages.inUse).toBe(0);
  expect((await model.generate(prompt, options))[0].ids).toEqual(expected);
  expect(model.engine.pages.inUse).toBe(0);
}

describe('a wrong call', () => {
  const wrong: [prompt: unknown, options: object, code: string, message: RegExp][] = [
    [{ inputIds: [3, 67] }, {}, 'ERR_INPUT', /prompt\[1\]: expected an id from 0 to 66, found 67/],
    [{ inputIds: [-1] }, {}, 'ERR_INPUT', /prompt\[0\]/],
    [{ inputIds: ids(96) }, {}, 'ERR_INPUT', /context of 96, found 96/],
    ['w3 '.repeat(500), {}, 'ERR_INPUT', /context of 96, found 500/],
    [prompt, { maxTokens: 3 }, 'ERR_ARGUMENT', /maxTokens/],
    [prompt, { doSample: false, topK: 3 }, 'ERR_ARGUMENT', /topK/],
    [prompt, { lengthPenalty: 2, numBeams: 1 }, 'ERR_ARGUMENT', /lengthPenalty.*numBeams/],
    [prompt, { numReturnSequences: 2 }, 'ERR_ARGUMENT', /numReturnSequences/],
    [prompt, { numBeams: 2, numReturnSequences: 3 }, 'ERR_ARGUMENT', /numReturnSequences/],
    [prompt, { suppressTokens: [67] }, 'ERR_ARGUMENT', /suppressTokens.*67/],
    [prompt, { suppressTokens: [...Array(67).keys()] }, 'ERR_ARGUMENT', /after 70 ids/],
    [{ messages, chatTemplate: 'none' }, {}, 'ERR_ARGUMENT', /one of the templates default/],
  ];
  it.each(wrong)('is refused by name (%#)', async (given, more, code, message) => {
    const failure = { name: 'HeddleError', code, message: expect.stringMatching(message) };
    await expect(model.generate([prompt, given as never], more)).rejects.toMatchObject(failure);
    if (!('numBeams' in more)) {
      await expect(model.stream(given as never, more).next()).rejects.toMatchObject(failure);
    }
    await expectUsable();
  });

  it.each([
    ['loops', '{% for i in range(3000000) %}{% endfor %}'],
    [
      'grows',
      '{% set n = namespace(s="aaaaaaaa") %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}',
    ],
  ])('is a template that %s without end', async (_, template) => {
    using other = await open(await folderWith(template));
    const ended = { code: 'ERR_FORMAT', message: expect.stringMatching(/template is ended/) };
    await expect(other.generate({ messages })).rejects.toMatchObject(ended);
    expect((await other.generate(prompt, options))[0].ids).toEqual(expected);
    expect(other.engine.pages.inUse).toBe(0);
  });
});

describe('weights that are NaN', () => {
  it('are an error that says so, in every way to write', async () => {
    const file = await readFile(join(fixture('llama/4'), 'model.safetensors'));
    const begin = 8 + Number(file.readBigUInt64LE(0));
    const { data_offsets: place } = JSON.parse(file.toString('utf8', 8, begin))['norm.weight'];
    // Ones in every bit are NaN in every format of floating-point numbers.
    file.fill(0xff, begin + place[0], begin + place[1]);
    const files = { 'model.safetensors': file };
    using broken = await open(
      await tinyFolder({ from: fixture('llama/4'), tokenizer: false, files }),
    );
    const failure = {
      code: 'ERR_ENGINE',
      message: expect.stringMatching(/logits after 70 ids.*NaN/),
    };
    for (const more of [{}, { temperature: 1 }, { numBeams: 2 }, { logprobs: 2 }]) {
      await expect(broken.generate(prompt, more)).rejects.toMatchObject(failure);
    }
    await expect(broken.stream(prompt).next()).rejects.toMatchObject(failure);
    await expect(broken.perplexity(prompt)).rejects.toMatchObject({ code: 'ERR_ENGINE' });
    expect(broken.engine.pages.inUse).toBe(0);
  });
});

describe('an abort', () => {
  it.each([1, 3])('ends a call before and in its prompt, with %i beams', async (numBeams) => {
    for (const turns of [0, 1, 2, 3]) {
      const abort = new AbortController();
      const made: number[] = [];
      const pending = model.generate(prompt, {
        ...options,
        numBeams,
        signal: abort.signal,
        onProgress: ({ tokens }) => made.push(tokens),
      });
      for (let i = 0; i < turns; i++) await Promise.resolve();
      abort.abort(new Error(`after ${turns}`));
      await expect(pending).rejects.toThrow(`after ${turns}`);
      expect(made).toEqual([]);
      await expectUsable();
    }
  });

  it.each([1, 3])('ends a call within a token, with %i beams', async (numBeams) => {
    const abort = new AbortController();
    let steps = 0;
    const onProgress = (): void => {
      if (++steps === 3) abort.abort(new Error('enough'));
    };
    const given = { ...options, numBeams, signal: abort.signal, onProgress };
    await expect(model.generate(prompt, given)).rejects.toThrow('enough');
    expect(steps).toBe(3);
    await expectUsable();
  });

  it('ends one of two streams alone', async () => {
    const abort = new AbortController();
    const read = async (signal?: AbortSignal): Promise<number[]> => {
      const made: number[] = [];
      for await (const { id } of model.stream(prompt, { ...options, ...(signal && { signal }) })) {
        made.push(id);
        if (signal && made.length === 2) abort.abort(new Error('enough'));
      }
      return made;
    };
    const [whole, ended] = await Promise.allSettled([read(), read(abort.signal)]);
    expect(whole).toEqual({ status: 'fulfilled', value: expected });
    expect(ended).toMatchObject({ status: 'rejected', reason: { message: 'enough' } });
    await expectUsable();
  });
});

describe('dispose', () => {
  it('lets a stream end as it would, and gives the memory back when it has', async () => {
    const { addon } = nativeBackend();
    const before = addon.counters();
    for (const leaves of [false, true]) {
      const own = await open(fixture('llama/4'));
      const made: number[] = [];
      for await (const { id } of own.stream(prompt, options)) {
        made.push(id);
        if (made.length === 2) own.dispose();
        if (made.length === 4 && leaves) break;
      }
      expect(made).toEqual(expected.slice(0, leaves ? 4 : 8));
      await expect(own.stream(prompt).next()).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
      await expect(own.perplexity(prompt)).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
    }
    await new Promise(setImmediate);
    const { states, plans } = addon.counters();
    expect({ states, plans }).toEqual({ states: before.states, plans: before.plans });
  });
});

describe('ids that the tokenizer has no tokens for', () => {
  it('have no text', async () => {
    const logitBias = { 62: 100 };
    const [{ ids: made, text }] = await model.generate(prompt, { ...options, logitBias });
    expect([made[0], text]).toEqual([62, '']);
    let streamed = '';
    for await (const token of model.stream(prompt, { ...options, logitBias }))
      streamed += token.text;
    expect(streamed).toBe('');
  });
});

describe('many short texts', () => {
  it('leave no page, plan or state behind', async () => {
    const { addon } = nativeBackend();
    const write = async (seed: number): Promise<void> => {
      const list = [1, 2, 3].map((i) => ({ inputIds: ids(2 + (((seed % 10) * i) % 40), seed) }));
      await model.generate(list, { maxNewTokens: 2, eosTokenId: null });
    };
    for (let seed = 0; seed < 10; seed++) await write(seed);
    const { states, plans } = addon.counters();
    for (let seed = 0; seed < 30; seed++) await write(seed);
    expect(addon.counters()).toMatchObject({ states, plans });
    await expectUsable();
  });
});
