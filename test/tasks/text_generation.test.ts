import { describe, expect, it } from 'vitest';
import { textGeneration } from '../../lib/tasks/text_generation.js';
import { type GeneratedToken, TextGenerator } from '../../lib/tasks/text_generator.js';
import { TextStreamer } from '../../lib/tasks/text_streamer.js';
import { scripted } from './script_engine.js';

const answer = 'Das wäre schön 🧿, ja.';

describe('generate', () => {
  it('gives text and ids, up to the end that the checkpoint names', async () => {
    const { generator, engine, tokenizer, end } = await scripted(answer);
    const ids = [...tokenizer.encode(answer).ids, end];
    const [found, other] = await generator.generate(['Hello', { inputIds: [5] }]);
    expect(found).toEqual({ ids, text: answer, finishReason: 'stop', promptTokens: 3 });
    expect(other).toEqual({ ...found, promptTokens: 1 });
    expect(engine.prompts).toEqual([tokenizer.encode('Hello').ids, [5]]);
    expect(engine.open).toBe(0);
  });

  it.each([{}, { numBeams: 2 }])(
    'ends at a string across tokens, which its text leaves out: %o',
    async (options) => {
      const { generator, tokenizer } = await scripted(answer);
      const [found] = await generator.generate('Hello', { stop: ['nope', 'ön 🧿'], ...options });
      expect(found).toMatchObject({ text: 'Das wäre sch', finishReason: 'stop' });
      expect(tokenizer.decode(found!.ids)).toMatch(/ön 🧿$/);
      const [whole] = await generator.generate('Hello', { stop: 'nothing' });
      expect(whole).toMatchObject({ text: answer, finishReason: 'stop' });
    },
  );

  it('puts a conversation through the template, without special tokens of the tokenizer', async () => {
    const { generator, engine, tokenizer } = await scripted('Yes.');
    const tools = [{ type: 'function', function: { name: 'f' } }];
    const [found] = await generator.generate({
      messages: [{ role: 'user', content: 'Hi' }],
      tools,
    });
    expect(found).toMatchObject({ text: 'Yes.', promptTokens: engine.prompts[0]!.length });
    expect(tokenizer.decode(engine.prompts[0]!)).toBe(
      '<|im_start|>system\nYou may call these functions:\n<tools>\n{"type": "function", "function": {"name": "f"}}\n</tools>\n' +
        'Answer with {"name": ..., "arguments": ...} in <tool_call></tool_call>.<|im_end|>\n' +
        '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('reads calls of tools from the answer, where the prompt has tools', async () => {
    const call = { name: 'f', arguments: { x: [1] } };
    const text = `Well.\n<tool_call>\n${JSON.stringify(call)}\n</tool_call>`;
    const { generator, engine, tokenizer, end } = await scripted(text);
    const messages = [{ role: 'user', content: 'Hi' }];
    const tools = [{ type: 'function', function: { name: 'f' } }];
    expect(await generator.generate({ messages, tools })).toMatchObject([
      { text, toolCalls: [call] },
    ]);
    const tokens: GeneratedToken[] = [];
    for await (const token of generator.stream({ messages, tools })) tokens.push(token);
    expect(tokens.filter(({ toolCalls }) => toolCalls)).toEqual([tokens.at(-1)]);
    expect(tokens.at(-1)!.toolCalls).toEqual([call]);
    for (const prompt of ['Hi', { messages }, { messages, tools: [] }]) {
      expect((await generator.generate(prompt))[0]).not.toHaveProperty('toolCalls');
    }
    engine.answer = [end, end];
    const [none] = await generator.generate({ messages, tools });
    expect(none!.toolCalls).toEqual([]);
    const generate = textGeneration(generator, tokenizer);
    const kwargs = { tokenizer_encode_kwargs: { tools } };
    expect(await generate(messages, kwargs)).toEqual([
      { generated_text: [...messages, { role: 'assistant', content: '' }] },
    ]);
  });

  it('reports the tokens of all prompts', async () => {
    const { generator } = await scripted(answer);
    const seen: number[] = [];
    const found = await generator.generate(['a', 'b'], {
      onProgress: ({ tokens }) => seen.push(tokens),
    });
    expect(seen.at(-1)).toBe(found[0]!.ids.length + found[1]!.ids.length);
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
  });

  const refused: [prompt: unknown, code: string, where: string][] = [
    [{ inputIds: [] }, 'ERR_INPUT', 'generate: prompt'],
    [{ inputIds: [1, -1] }, 'ERR_INPUT', 'generate: prompt[1]'],
    [{ inputIds: [10 ** 6] }, 'ERR_INPUT', 'generate: prompt[0]'],
    [{ inputIds: [0.5] }, 'ERR_INPUT', 'generate: prompt[0]'],
    [{ inputIds: new Array(200).fill(1) }, 'ERR_INPUT', 'generate: prompt'],
    [{ inputIds: [1], messages: [] }, 'ERR_ARGUMENT', 'generate: prompt'],
    [{ messages: [] }, 'ERR_INPUT', 'messages'],
    [{ messages: [{ role: 'user', content: '' }], tool: 1 }, 'ERR_ARGUMENT', 'generate: prompt'],
    [5, 'ERR_ARGUMENT', 'generate: prompt'],
    [null, 'ERR_ARGUMENT', 'generate: prompt'],
  ];
  it.each(refused)('refuses the prompt %o', async (prompt, code, where) => {
    const { generator, engine } = await scripted(answer);
    await expect(generator.generate(prompt as never)).rejects.toMatchObject({ code, where });
    await expect(generator.generate(['fine', prompt as never])).rejects.toMatchObject({ code });
    expect(engine.open).toBe(0);
    expect(engine.prompts).toEqual([]);
  });

  it('needs a tokenizer for texts alone', async () => {
    const { engine, end, tokenizer } = await scripted('Yes');
    const limits = { vocabSize: 600, contextLength: 100 };
    const parts = { engine, limits, vocabSize: 600, defaults: { eosTokenId: end } };
    const generator = new TextGenerator({
      ...parts,
      tokenizer: undefined,
      chatTemplates: undefined,
    });
    const [found] = await generator.generate({ inputIds: [1] });
    expect(found).toEqual({
      ids: [...tokenizer.encode('Yes').ids, end],
      finishReason: 'stop',
      promptTokens: 1,
    });
    for (const prompt of ['text', { messages: [{ role: 'user' }] }]) {
      await expect(generator.generate(prompt)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    }
    const stopped = generator.generate({ inputIds: [1] }, { stop: 'x' });
    await expect(stopped).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });
});

describe('stream', () => {
  it('gives the text in whole characters, together that of generate', async () => {
    const { generator, engine } = await scripted(answer);
    for (const stop of [[], ['ön 🧿']]) {
      const [whole] = await generator.generate('Hello', { stop });
      const tokens: GeneratedToken[] = [];
      for await (const token of generator.stream('Hello', { stop, logprobs: 1 }))
        tokens.push(token);
      expect(tokens.map(({ id }) => id)).toEqual(whole!.ids);
      expect(tokens.map(({ text }) => text).join('')).toBe(whole!.text);
      for (const { text } of tokens) expect(text).not.toContain('\ufffd');
      expect(tokens.map(({ finishReason }) => finishReason).filter(Boolean)).toEqual(['stop']);
      for (const { id, logprob, alternatives } of tokens)
        expect(alternatives).toEqual([{ id, logprob }]);
    }
    expect(engine.open).toBe(0);
  });

  it('ends where its reader leaves or aborts', async () => {
    const { generator, engine } = await scripted(answer);
    for await (const _ of generator.stream('Hello')) break;
    expect(engine.open).toBe(0);
    const abort = new AbortController();
    const read = async (): Promise<void> => {
      for await (const _ of generator.stream('Hello', { signal: abort.signal }))
        abort.abort(new Error('enough'));
    };
    await expect(read()).rejects.toThrow('enough');
    expect(engine.open).toBe(0);
  });
});

describe("pipeline('text-generation')", () => {
  it("gives the shapes of @huggingface/transformers'", async () => {
    const { generator, tokenizer } = await scripted(answer);
    const generate = textGeneration(generator, tokenizer);
    expect(await generate('Hi. ')).toEqual([{ generated_text: `Hi. ${answer}` }]);
    expect(await generate('Hi.', { return_full_text: false })).toEqual([
      { generated_text: answer },
    ]);
    expect(await generate(['a', 'b'], { max_new_tokens: 1 })).toEqual([
      [{ generated_text: 'aD' }],
      [{ generated_text: 'bD' }],
    ]);
    expect(await generate('a b c', { max_length: 4 })).toEqual([{ generated_text: 'a b cD' }]);
    const messages = [{ role: 'user', content: 'Hi' }];
    const reply = { role: 'assistant', content: answer };
    expect(await generate(messages)).toEqual([{ generated_text: [...messages, reply] }]);
    expect(await generate([messages, messages], { return_full_text: false })).toEqual([
      [{ generated_text: [reply] }],
      [{ generated_text: [reply] }],
    ]);
    const several = await generate('a', {
      do_sample: true,
      temperature: 0.01,
      num_return_sequences: 2,
      max_new_tokens: 1,
    });
    expect(several).toEqual([{ generated_text: 'aD' }, { generated_text: 'aD' }]);
    const greedy = await generate('a', {
      do_sample: false,
      temperature: 0.7,
      top_k: 5,
      max_new_tokens: 1,
    });
    expect(greedy).toEqual([{ generated_text: 'aD' }]);
    expect(await generate('a', { stop_strings: ' sch' })).toEqual([
      { generated_text: 'aDas wäre' },
    ]);
  });

  it('shows a text through a TextStreamer', async () => {
    const { generator, tokenizer, end } = await scripted(answer);
    const generate = textGeneration(generator, tokenizer);
    for (const skip_prompt of [true, false]) {
      const pieces: string[] = [];
      const ids: bigint[] = [];
      const streamer = new TextStreamer(tokenizer, {
        skip_prompt,
        callback_function: (text) => pieces.push(text),
        token_callback_function: (each) => ids.push(...each),
      });
      for (let i = 0; i < 2; i++) {
        pieces.length = 0;
        await generate('Hello', { streamer });
        expect(pieces.join('')).toBe(skip_prompt ? answer : `Hello${answer}`);
        expect(pieces.length).toBeGreaterThan(5);
      }
      expect(ids.at(-1)).toBe(BigInt(end));
    }
    const streamer = new TextStreamer(tokenizer);
    await expect(generate('a', { streamer: 5 as never })).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
      where: 'text-generation: streamer',
    });
    await expect(generate(['a', 'b'], { streamer })).rejects.toMatchObject({
      where: 'text-generation: streamer',
    });
  });

  it.each([
    [undefined, {}],
    [[], {}],
    ['a', { max_tokens: 5 }],
    ['a', { maxNewTokens: 5 }],
    ['a', { max_new_tokens: 0 }],
  ])('refuses %o with %o', async (inputs, options) => {
    const { generator, tokenizer } = await scripted(answer);
    const generate = textGeneration(generator, tokenizer);
    await expect(generate(inputs as never, options)).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
    });
  });
});
