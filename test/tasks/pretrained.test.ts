/** Tokenizers and models that are called as those of @huggingface/transformers, beside what it gives. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AutoConfig } from '../../lib/tasks/auto_config.js';
import {
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
} from '../../lib/tasks/auto_model.js';
import { AutoTokenizer } from '../../lib/tasks/auto_tokenizer.js';
import type { TokenizerCallOptions } from '../../lib/tasks/encoded_batch.js';
import { pipeline } from '../../lib/tasks/pipeline.js';
import type { PretrainedTokenizer } from '../../lib/tasks/pretrained_tokenizer.js';
import { ResultTensor, Tensor } from '../../lib/tasks/result_tensor.js';
import { mean_pooling } from '../../lib/tasks/vector_maths.js';
import { Tokenizer } from '../../lib/text/tokenizer.js';
import { fixture, shardedBert, temporaryFolder } from './tiny_model.js';

interface Golden {
  path: string;
  config: object;
  members: Record<string, unknown>;
  calls: {
    texts: string | string[];
    options: TokenizerCallOptions;
    result?: Record<string, unknown>;
    throws?: true;
  }[];
  pair: number[];
  tokens: string[];
  decoded: [options: object, text: string][];
}
const golden: Record<string, Golden> = JSON.parse(
  await readFile(fixture('tasks/pretrained.json'), 'utf8'),
);
const text = "It's a ship, isn't it?";

async function open({
  path,
  config,
}: Pick<Golden, 'path' | 'config'>): Promise<PretrainedTokenizer> {
  const folder = await temporaryFolder();
  const json = await readFile(join(fixture(path), 'tokenizer.json'));
  await writeFile(join(folder, 'tokenizer.json'), json);
  await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
  return AutoTokenizer.from_pretrained(folder);
}

/** A result as the golden cases have it. */
const plain = (result: object): object =>
  Object.fromEntries(
    Object.entries(result).map(([key, value]) => [
      key,
      value instanceof ResultTensor
        ? { type: value.type, dims: value.dims, data: Array.from(value.data, Number) }
        : value,
    ]),
  );

describe.each(Object.entries(golden))('the tokenizer %s', (_, expected) => {
  it.each(expected.calls)('called with %j', async ({ texts, options, result, throws }) => {
    const tokenizer = await open(expected);
    const call = (): object => tokenizer(texts, options);
    if (throws) {
      expect(call).toThrow(expect.objectContaining({ name: 'HeddleError', code: 'ERR_INPUT' }));
      return;
    }
    const given = plain(call());
    expect(Object.keys(given)).toEqual(Object.keys(result ?? {}));
    expect(given).toMatchObject(result ?? {});
  });

  it('has the members that are there', async () => {
    const tokenizer = await open(expected);
    const own = tokenizer as unknown as Record<string, unknown>;
    const members = Object.keys(expected.members).map((key) => [key, own[key] ?? null]);
    expect(Object.fromEntries(members)).toEqual(expected.members);
    const ids = tokenizer.encode(text, { text_pair: 'A letter.' });
    expect([Array.isArray(ids), ids]).toEqual([true, expected.pair]);
    expect(tokenizer.tokenize(text)).toEqual(expected.tokens);
    for (const [options, decoded] of expected.decoded) {
      expect(tokenizer.decode(ids, options)).toBe(decoded);
      expect(tokenizer.batch_decode([ids, ids], options)).toEqual([decoded, decoded]);
    }
    const { input_ids } = tokenizer(text, { text_pair: 'A letter.' });
    expect([tokenizer.decode(input_ids), ...tokenizer.batch_decode(input_ids)]).toEqual(
      Array(2).fill(expected.decoded[0][1]),
    );
  });
});

describe('a tokenizer that can be called', () => {
  it('is a Tokenizer with its own names, too', async () => {
    const folder = fixture('tasks/rank');
    const [core, tokenizer] = [
      await Tokenizer.load(folder),
      await AutoTokenizer.from_pretrained(folder),
    ];
    expect([tokenizer instanceof Tokenizer, tokenizer.vocabSize]).toEqual([true, core.vocabSize]);
    const { ids, typeIds, offsets, overflowed } = tokenizer.encode(text, {
      pair: 'Two',
      maxLength: 8,
    });
    expect({ ids, typeIds, offsets, overflowed }).toEqual(
      core.encode(text, { pair: 'Two', maxLength: 8 }),
    );
    const decoded = tokenizer.decode(ids, {
      skipSpecialTokens: true,
      clean_up_tokenization_spaces: false,
    });
    expect(decoded).toBe(core.decode(ids, { skipSpecialTokens: true }));
    expect(tokenizer.get_vocab().get('[SEP]')).toBe(core.tokenToId('[SEP]'));
    expect(tokenizer.convert_tokens_to_ids(['[SEP]', 'no token'])).toEqual([
      core.tokenToId('[SEP]'),
      undefined,
    ]);
    expect(tokenizer._call(text)).toEqual(tokenizer(text));
  });

  it('keeps the special tokens where it cuts, and the longer text of a pair is cut first', async () => {
    const tokenizer = await open(golden.minilm);
    const { input_ids } = tokenizer([text], {
      text_pair: ['A letter.'],
      max_length: 9,
      truncation: true,
    });
    expect(tokenizer.tokenize(tokenizer.decode(input_ids))).toHaveLength(9);
    expect([...input_ids.data].filter((id) => id === 102n)).toHaveLength(2);
    expect(tokenizer.decode(input_ids)).toContain('[SEP] a letter. [SEP]');
  });

  it.each<[string, TokenizerCallOptions, string]>([
    ['an unknown option', { return_tensors: 'pt' } as never, 'ERR_ARGUMENT'],
    ['no padding that there is', { padding: 'left' as never }, 'ERR_ARGUMENT'],
    ['no truncation that there is', { truncation: 'only_first' as never }, 'ERR_ARGUMENT'],
    ['half a token', { max_length: 1.5 }, 'ERR_ARGUMENT'],
    [
      'a length without room for special tokens',
      { max_length: 1, truncation: true },
      'ERR_ARGUMENT',
    ],
    ['no pair', { text_pair: 1 as never }, 'ERR_INPUT'],
  ])('refuses %s', async (_, options, code) => {
    const tokenizer = await AutoTokenizer.from_pretrained(fixture('tasks/rank'));
    expect(() => tokenizer(text, options)).toThrow(
      expect.objectContaining({ name: 'HeddleError', code }),
    );
  });

  it('cannot pad to a length that nobody says, or with a token that is not there', async () => {
    const tokenizer = await open({
      ...golden.minilm,
      config: { tokenizer_class: 'BertTokenizer' },
    });
    for (const [texts, options, code] of [
      [[text], { padding: 'max_length' }, 'ERR_ARGUMENT'],
      [[text, 'a'], { padding: true }, 'ERR_UNSUPPORTED'],
    ] as const) {
      expect(() => tokenizer(texts, options)).toThrow(expect.objectContaining({ code }));
    }
    expect(tokenizer.model_max_length).toBe(Infinity);
  });

  it('is not there without a tokenizer.json', async () => {
    await expect(AutoTokenizer.from_pretrained(shardedBert)).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringContaining('tokenizer.json'),
    });
  });
});

describe('a model that can be called', () => {
  const pair = { text_pair: ['A letter.', 'Nobody in Valletta knew of them.'], padding: true };

  it('gives what forward gives, of texts padded together as of each alone', async () => {
    const folder = fixture('tasks/rank');
    const tokenizer = await AutoTokenizer.from_pretrained(folder);
    const model = await AutoModelForSequenceClassification.from_pretrained(folder, {
      dtype: 'fp32',
      device: 'cpu',
    });
    const inputs = tokenizer([text, 'A.'], pair);
    const { logits, ...rest } = await model(inputs);
    expect([logits.dims, logits.type, rest]).toEqual([[2, 1], 'float32', {}]);
    const ids = tokenizer.encode('A.', { text_pair: pair.text_pair[1] });
    const own = await model.forward({ inputIds: [ids], tokenTypeIds: [ids.typeIds] });
    expect(logits[1].item()).toBeCloseTo(own.logits.data[0], 5);
    const arrays = tokenizer([text, 'A.'], { ...pair, return_tensor: false });
    expect((await model(arrays)).logits.data).toEqual(logits.data);
    const row = await model({ input_ids: [...ids], token_type_ids: ids.typeIds.map(BigInt) });
    expect(row.logits.item()).toBeCloseTo(own.logits.data[0], 5);
    const first: Tensor = inputs.input_ids[0];
    expect(tokenizer.decode(first)).toBe(tokenizer.batch_decode(inputs.input_ids)[0]);
    const mask: Tensor = new Tensor('int64', [1, 1], [1, 2]);
    const made = await model({
      input_ids: new Tensor('int64', [2n, 3n], [1, 2]),
      attention_mask: mask,
    });
    expect(made.logits.dims).toEqual([1, 1]);
    expect(model.config.model_type).toBe('bert');
    await model.dispose();
    await expect(model(inputs)).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });

  it.each([
    ['fill-roberta', AutoModelForMaskedLM, { logits: [1, 3, 420] }],
    ['ner-bert', AutoModelForTokenClassification, { logits: [1, 3, 5] }],
    ['answer', AutoModelForQuestionAnswering, { start_logits: [1, 3], end_logits: [1, 3] }],
    [
      'answer',
      AutoModel,
      { last_hidden_state: [1, 3, 24], start_logits: [1, 3], end_logits: [1, 3] },
    ],
    ['fill-bert', AutoModel, { last_hidden_state: [1, 3, 24] }],
    ['rank', AutoModel, { last_hidden_state: [1, 3, 24], logits: [1, 1] }],
    ['../models/albert/base', AutoModel, { last_hidden_state: [1, 3, 14], pooler_output: [1, 14] }],
  ])('%s gives what its head does', async (name, kind, dims) => {
    const model = await kind.from_pretrained(fixture(`tasks/${name}`));
    const outputs = await model({ input_ids: [[0, 7, 2]], token_type_ids: [[0, 0, 0]] });
    const found = Object.entries(outputs).map(([key, tensor]) => [key, tensor.dims]);
    expect(Object.fromEntries(found)).toEqual(dims);
    await model.dispose();
  });

  it('gives hidden states and attentions on request, and means of them', async () => {
    const folder = fixture('tasks/embed');
    const extract = await pipeline('feature-extraction', folder);
    const inputs = extract.tokenizer(['a ship', 'a storm broke the mast'], { padding: true });
    const asked = { ...inputs, output_hidden_states: true, output_attentions: true };
    const { last_hidden_state, hidden_states, attentions } = await extract.model(asked);
    const length = inputs.input_ids.dims[1];
    expect([hidden_states.length, attentions.length]).toEqual([3, 2]);
    expect(attentions[0].dims).toEqual([2, 2, length, length]);
    expect(hidden_states[2].data).toEqual(last_hidden_state.data);
    const means = mean_pooling(last_hidden_state, inputs.attention_mask).normalize(2, 1);
    const expected = await extract._call(['a ship', 'a storm broke the mast'], {
      pooling: 'mean',
      normalize: true,
    });
    expect(means.dims).toEqual(expected.dims);
    for (const [i, value] of means.data.entries()) expect(value).toBeCloseTo(expected.data[i], 5);
    expect((await extract.model.embed('a ship'))[0]).toHaveLength(24);
    extract.model.maxWaitMs = 5;
    expect(extract.model.maxWaitMs).toBe(5);
    expect(() => mean_pooling(means, inputs.attention_mask)).toThrow('mean_pooling');
    await extract.dispose();
  });

  it.each<[string, () => Promise<unknown>, string]>([
    [
      'another head',
      () => AutoModelForMaskedLM.from_pretrained(fixture('tasks/rank')),
      'ERR_UNSUPPORTED',
    ],
    [
      'a config',
      () => AutoModel.from_pretrained(fixture('tasks/rank'), { config: {} as never }),
      'ERR_UNSUPPORTED',
    ],
    ['no source', () => AutoTokenizer.from_pretrained(undefined as never), 'ERR_ARGUMENT'],
    [
      'an unknown option',
      () => AutoConfig.from_pretrained('x', { cacheDir: '' } as never),
      'ERR_ARGUMENT',
    ],
  ])('is not there with %s', async (_, body, code) => {
    await expect(body()).rejects.toMatchObject({ name: 'HeddleError', code });
  });

  it.each<[string, unknown, string]>([
    ['no ids', {}, 'ERR_INPUT'],
    ['text', { input_ids: 'a' }, 'ERR_INPUT'],
    ['a mask of another shape', { input_ids: [[1, 2]], attention_mask: [[1]] }, 'ERR_INPUT'],
    ['ids beyond the vocabulary', { input_ids: [[1n, 4000n]] }, 'ERR_INPUT'],
    ['an unknown input', { input_ids: [[1]], pixel_values: [] }, 'ERR_ARGUMENT'],
  ])('refuses %s', async (_, inputs, code) => {
    const model = await AutoModel.from_pretrained(fixture('tasks/rank'));
    await expect(model(inputs as never)).rejects.toMatchObject({ name: 'HeddleError', code });
    await model.dispose();
  });

  it('has a config that can be read alone', async () => {
    const config = await AutoConfig.from_pretrained(fixture('tasks/rank'));
    expect(config).toMatchObject({ model_type: 'bert', hidden_size: 24 });
  });
});

describe('options of tokenizers, given to pipelines', () => {
  it('are honoured or taken', async () => {
    const extract = await pipeline('embeddings', fixture('tasks/embed'));
    const long = 'a storm broke the mast';
    const dims = async (options: object): Promise<readonly number[]> =>
      (await extract(long, options)).dims;
    const [, whole] = await dims({ padding: true, truncation: true, return_tensor: true });
    expect(await dims({ max_length: 4, truncation: false })).toEqual([1, 4, 24]);
    expect(
      await dims({ add_special_tokens: false, padding: 'max_length', max_length: null }),
    ).toEqual([1, whole - 2, 24]);
    const pooled = { pooling: 'mean' } as const;
    const bare = await extract(long, { ...pooled, add_special_tokens: false, max_length: 3 });
    const ids = extract.tokenizer.encode(long, { addSpecialTokens: false, maxLength: 3 });
    const { last_hidden_state } = await extract.model({ input_ids: [ids] });
    const expected = last_hidden_state.mean(1);
    for (const [i, value] of bare.data.entries()) expect(value).toBeCloseTo(expected.data[i], 5);
    await expect(extract(long, { max_length: 0 })).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    await expect(
      extract(long, { ...pooled, add_special_tokens: 1 as never }),
    ).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    await extract.dispose();
    const answer = await pipeline('question-answering', fixture('tasks/answer'));
    const taken = { padding: true, truncation: true, max_length: 384, return_tensor: true };
    expect(await answer('Who?', 'Sarah.', taken)).toEqual(await answer('Who?', 'Sarah.'));
    await answer.dispose();
  });
});

describe('new Tensor', () => {
  it('takes typed arrays and lists of numbers', () => {
    const ids = new Tensor('int64', [1, 2n, 3, 4], [2, 2]);
    expect(ids.tolist()).toEqual([
      [1n, 2n],
      [3n, 4n],
    ]);
    expect([ids[1][0].item(), ids.data.constructor, ids.type]).toEqual([
      3n,
      BigInt64Array,
      'int64',
    ]);
    expect(ids.to('float32').mul(2).tolist()).toEqual([
      [2, 4],
      [6, 8],
    ]);
    expect(ids.sum(1).tolist()).toEqual([3, 7]);
    const data = Float32Array.of(0, Math.log(3));
    const logits = new Tensor('float32', data, [2]);
    expect([logits.data === data, logits instanceof ResultTensor]).toEqual([true, true]);
    expect(Array.from(logits.sigmoid().data)).toEqual([0.5, 0.75]);
  });

  it.each<[string, () => unknown, string]>([
    ['another type', () => new Tensor('string' as never, [1], [1]), 'ERR_ARGUMENT'],
    [
      'data of another type',
      () => new Tensor('int64', Float32Array.of(1) as never, [1]),
      'ERR_ARGUMENT',
    ],
    ['half a number', () => new Tensor('int64', [0.5], [1]), 'ERR_ARGUMENT'],
    ['dimensions that do not fit', () => new Tensor('float32', [1, 2], [3]), 'ERR_SHAPE'],
    ['dimensions below 0', () => new Tensor('float32', [1, 2], [-1, -2]), 'ERR_SHAPE'],
    ['no dimensions', () => new Tensor('float32', [1], undefined as never), 'ERR_SHAPE'],
  ])('refuses %s', (_, body, code) => {
    expect(body).toThrow(expect.objectContaining({ name: 'HeddleError', code }));
  });
});
