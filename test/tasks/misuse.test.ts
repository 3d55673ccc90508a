/** What tasks are given that they cannot take: typed errors that say what to do. */
import { afterAll, describe, expect, it } from 'vitest';
import { load } from '../../lib/tasks/load.js';
import { pipeline, type TaskName } from '../../lib/tasks/pipeline.js';
import { fixture, tinyFolder } from './tiny_model.js';

type Call = (...args: unknown[]) => Promise<unknown>;
const fill = await pipeline('fill-mask', fixture('tasks/fill-bert'));
const classify = await pipeline('text-classification', fixture('tasks/classify'));
const ner = await pipeline('token-classification', fixture('tasks/ner-bert'));
const answer = await pipeline('question-answering', fixture('tasks/answer'));
const zeroShot = await pipeline('zero-shot-classification', fixture('tasks/entail'));
const extract = await pipeline('feature-extraction', fixture('tasks/embed'));
const all = { fill, classify, ner, answer, zeroShot, extract };
afterAll(async () => {
  for (const pipe of Object.values(all)) await pipe.dispose();
});

const long = 'word '.repeat(200);
const wrong: [of: keyof typeof all, args: unknown[], code: string, message: RegExp][] = [
  ['fill', ['no mask here'], 'ERR_INPUT', /mask token \[MASK\].*found none/],
  ['fill', [['a [MASK]', 'none']], 'ERR_INPUT', /texts\[1\].*\[MASK\]/],
  ['fill', [''], 'ERR_INPUT', /\[MASK\]/],
  ['fill', [`${long} [MASK]`], 'ERR_INPUT', /not in what was kept/],
  ['fill', [`[MASK] ${long}`, { truncation: 'error' }], 'ERR_INPUT', /at most 64 tokens/],
  ['fill', ['a [MASK]', { top_k: 0 }], 'ERR_ARGUMENT', /top_k.*null for all/],
  ['fill', ['a [MASK]', { topK: 2 }], 'ERR_ARGUMENT', /topK/],
  ['fill', ['a [MASK]', { targets: ['qqqq'] }], 'ERR_ARGUMENT', /targets.*'qqqq'/],
  ['fill', ['a [MASK]', { targets: [] }], 'ERR_ARGUMENT', /targets/],
  ['fill', ['a [MASK]', { masks: 'some' }], 'ERR_ARGUMENT', /masks/],
  ['classify', [7], 'ERR_INPUT', /found 7/],
  ['classify', [['a', null]], 'ERR_INPUT', /texts\[1\]/],
  ['classify', [{ text: 'a', text_pair: 7 }], 'ERR_INPUT', /text_pair/],
  ['classify', ['a', { top_k: 1.5 }], 'ERR_ARGUMENT', /top_k/],
  ['classify', ['a', { function_to_apply: 'relu' }], 'ERR_ARGUMENT', /function_to_apply/],
  ['classify', [long, { truncation: 'error' }], 'ERR_INPUT', /at most 64/],
  ['ner', ['a', { ignore_labels: ['PERSON'] }], 'ERR_ARGUMENT', /B-PER.*found 'PERSON'/],
  ['ner', ['a', { stride: 4 }], 'ERR_ARGUMENT', /stride.*aggregation_strategy/],
  ['ner', ['a', { stride: 62, aggregation_strategy: 'max' }], 'ERR_ARGUMENT', /62 tokens.*62/],
  ['ner', ['a', { stride: -1, aggregation_strategy: 'max' }], 'ERR_ARGUMENT', /stride.*-1/],
  ['ner', ['a', { aggregation_strategy: 'last' }], 'ERR_ARGUMENT', /'simple'.*'last'/],
  ['ner', [undefined], 'ERR_INPUT', /a text or an array/],
  ['answer', ['', 'a context'], 'ERR_INPUT', /question/],
  ['answer', ['who?', ''], 'ERR_INPUT', /context/],
  ['answer', ['who?', ' \n\0'], 'ERR_INPUT', /context.*without any token/],
  ['answer', ['who?'], 'ERR_INPUT', /context/],
  [
    'answer',
    [
      ['a?', 'b?', 'c?'],
      ['x', 'y'],
    ],
    'ERR_INPUT',
    /each of the 3 questions/,
  ],
  ['answer', [long, 'a context'], 'ERR_INPUT', /shorten it/],
  ['answer', ['who?', long, { max_seq_len: 20, doc_stride: 20 }], 'ERR_INPUT', /doc_stride/],
  ['answer', ['who?', 'x', { max_seq_len: 65 }], 'ERR_ARGUMENT', /1 to 64/],
  ['answer', ['who?', 'x', { max_answer_len: 0 }], 'ERR_ARGUMENT', /max_answer_len/],
  ['zeroShot', ['a', []], 'ERR_ARGUMENT', /at least one label/],
  ['zeroShot', ['a'], 'ERR_INPUT', /labels/],
  ['zeroShot', ['a', ['b'], { hypothesis_template: 'no place' }], 'ERR_ARGUMENT', /\{\}/],
];

describe('a task refuses', () => {
  it.each(wrong)('%s of %j with %s', async (of, args, code, message) => {
    await expect((all[of] as unknown as Call)(...args)).rejects.toMatchObject({
      name: 'HeddleError',
      code,
      message: expect.stringMatching(message),
    });
  });

  it.each([
    ['fill-mask', 'classify', /masked lm.*BertForSequenceClassification/],
    ['sentiment-analysis', 'ner-bert', /text-classification.*sequence classification/],
    ['ner', 'classify', /token classification/],
    ['question-answering', 'fill-bert', /question answering/],
    ['zero-shot-classification', 'classify', /entailment.*joy, anger, fear.*id2label/],
  ] as [TaskName, string, RegExp][])('as %s the model %s', async (task, name, message) => {
    await expect(pipeline(task, fixture(`tasks/${name}`))).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(message),
    });
  });

  it('what is aborted', async () => {
    const signal = AbortSignal.abort('enough');
    await expect(fill('a [MASK]', { signal })).rejects.toBe('enough');
    await expect(ner(['a', 'b'], { signal })).rejects.toBe('enough');
    await expect(answer('who?', long, { signal })).rejects.toBe('enough');
  });

  it('nothing that is empty and has a meaning', async () => {
    expect(await classify('')).toHaveLength(1);
    expect(await ner('')).toEqual([]);
    expect([await classify([]), await fill([]), await ner([])]).toEqual([[], [], []]);
    expect(await zeroShot([], ['a'])).toEqual([]);
  });
});

describe('texts that are too long', () => {
  it('are cut and counted by every task', async () => {
    const cuts: object[] = [];
    const onTruncate = (cut: object): unknown => cuts.push(cut);
    await classify([long, 'a', long], { onTruncate });
    await ner(long, { onTruncate });
    await fill(`[MASK] ${long}`, { onTruncate });
    await zeroShot(long, ['a', 'b'], { onTruncate });
    await extract([long, 'a'], { onTruncate });
    await extract([long, 'a'], { pooling: 'mean', onTruncate });
    expect(cuts).toEqual([
      ...[2, 1, 1, 2].map((count) => ({ count, maxLength: 64 })),
      { count: 1, maxLength: 48 },
      { count: 1, maxLength: 48 },
    ]);
  });

  it('are read whole with a stride', async () => {
    const text = `${'Nobody went there. '.repeat(40)}My name is Sarah.`;
    const options = { aggregation_strategy: 'simple', ignore_labels: [] } as const;
    const ends = async (more: object): Promise<number> =>
      Math.max(...(await ner(text, { ...options, ...more })).map(({ end }) => end));
    expect(await ends({})).toBeLessThan(300);
    expect(await ends({ stride: 10 })).toBeGreaterThan(700);
  });

  it('are read whole for answers', async () => {
    const context = `${'The sea was calm. '.repeat(40)}Captain Émile Durand died.`;
    const found = await answer('Who died?', context, { top_k: 50 });
    const answers = [found].flat();
    expect(answers.some(({ start }) => start > 600)).toBe(true);
    for (const { answer: text, start, end } of answers) {
      expect(context.slice(start, end)).toBe(text);
    }
  });
});

describe('a checkpoint', () => {
  it('without what the model needs is refused, with all names', async () => {
    const from = fixture('tasks/embed');
    const config = { architectures: ['BertForSequenceClassification'] };
    const loading = load(await tinyFolder({ from, config, tokenizer: false }));
    await expect(loading).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringMatching(
        /2 tensors 'classifier\.weight', 'classifier\.bias'.*does not use: none.*without its head/,
      ),
    });
  });

  it('with more than the model needs says what', async () => {
    const from = fixture('tasks/classify');
    const config = { architectures: ['BertModel'] };
    using model = await load(await tinyFolder({ from, config, tokenizer: false }));
    expect(model.unusedTensors).toEqual(['classifier.bias', 'classifier.weight']);
    using whole = await load(from);
    expect(whole.unusedTensors).toEqual([]);
  });
});
