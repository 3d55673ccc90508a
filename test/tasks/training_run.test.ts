import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSentenceTransformers } from '../../lib/checkpoints/sentence_transformers.js';
import { load } from '../../lib/tasks/load.js';
import { loadTrainable } from '../../lib/tasks/load_trainable.js';
import { mergeAdapter } from '../../lib/tasks/merge_adapter.js';
import { train } from '../../lib/tasks/train.js';
import { openTrainingRun } from '../../lib/tasks/training_run.js';
import { Tokenizer } from '../../lib/text/tokenizer.js';
import { temporaryFolder, tinyBert, tinyFolder } from './tiny_model.js';

const gpt2 = {
  architectures: ['GPT2LMHeadModel'],
  n_embd: 16,
  n_layer: 1,
  n_head: 2,
  n_positions: 16,
};
const plain = {
  task: 'language-model',
  model: gpt2,
  tokenizer: 'characters',
  data: 'data.txt',
  output: 'run',
  steps: 3,
};

async function runOf(
  fields: object,
  data: string | Uint8Array = 'a cat sat\non a mat\n',
  name = 'data.txt',
) {
  const folder = await temporaryFolder();
  await writeFile(join(folder, name), data);
  const path = join(folder, 'config.json');
  await writeFile(path, JSON.stringify({ ...plain, data: name, ...fields }));
  return path;
}

const change = async (path: string, fields: object) =>
  writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...fields }));

/** Trains as the file and further options say. @returns the result's folder. */
async function trainedBy(path: string, more: object = {}): Promise<string> {
  const { model, data, options } = await openTrainingRun(path);
  using _ = model;
  return (await train(model, data, { ...options, ...more })).folder ?? '';
}

const refusal = async (path: string): Promise<string> => {
  try {
    (await openTrainingRun(path)).model.dispose();
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code} ${message}`;
  }
  return 'nothing';
};

describe('the file of a training run', () => {
  it('trains a model of characters, saved with its tokenizer', async () => {
    const { model, data, options } = await openTrainingRun(await runOf({}));
    const { folder = '' } = await train(model, data, options);
    model.dispose();
    const tokenizer = await Tokenizer.load(folder);
    const { ids } = tokenizer.encode('a mat\n');
    expect(ids).toHaveLength(6);
    expect(tokenizer.decode(ids)).toBe('a mat\n');
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
    expect(config).toMatchObject({
      vocab_size: tokenizer.idBound,
      eos_token_id: 2,
      bos_token_id: null,
      dtype: 'float32',
    });
  });

  const pairs = 'a cat\tone cat\na dog\tone dog\na mat\tone mat\na hat\tone hat\n';
  const contrastive = {
    task: 'contrastive',
    tokenizer: undefined,
    batchExamples: 2,
    learningRate: 0.01,
  };

  it('trains an adapter in place of the model, and goes on with it', async () => {
    const base = await tinyFolder();
    const lora = { targetModules: ['query', 'value'], r: 2, alpha: 4 };
    const path = await runOf({ ...contrastive, model: base, lora }, pairs, 'pairs.tsv');
    const trained = (more: object) => trainedBy(path, more);
    await trained({ steps: 1 });
    const adapter = await trained({ resume: true });
    expect((await readdir(adapter)).sort()).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
      'tokenizer.json',
    ]);
    const whole = join(dirname(path), 'whole');
    await change(path, { output: whole });
    const weights = (folder: string) => readFile(join(folder, 'adapter_model.safetensors'));
    expect(await weights(await trained({}))).toEqual(await weights(adapter));
    using plain = await load(base);
    using adapted = await load(base, { adapter });
    const [[before], [after]] = await Promise.all(
      [plain, adapted].map((model) => model.embed(['a cat'])),
    );
    expect(after).not.toEqual(before);
  });

  it.each<[string, object, RegExp]>([
    ['lora.alpha', { alpha: 8 }, /ERR_CONFIG.*lora\.alpha: expected 8.*found 4/],
    ['lora.dropout', { dropout: 0.1 }, /ERR_CONFIG.*lora\.dropout: expected 0\.1.*found 0/],
    ['lora.rsLora', { rsLora: true }, /ERR_CONFIG.*lora\.rsLora: expected true.*found false/],
    ['lora.r', { r: 3 }, /ERR_SHAPE.*lora_A/],
  ])('does not go on with an adapter of another %s', async (_, more, message) => {
    const lora = { targetModules: ['query'], r: 2, alpha: 4 };
    const fields = { ...contrastive, model: await tinyFolder(), steps: 1 };
    const path = await runOf({ ...fields, lora }, pairs, 'pairs.tsv');
    await trainedBy(path);
    await change(path, { steps: 2, lora: { ...lora, ...more } });
    const outcome = trainedBy(path, { resume: true }).then(
      () => 'nothing',
      ({ code, message }) => `${code} ${message}`,
    );
    expect(await outcome).toMatch(message);
  });

  it('does not go on with an adapter over another model of the same shapes', async () => {
    const [base, same, other] = await Promise.all([tinyFolder(), tinyFolder(), tinyFolder()]);
    const file = join(other, 'model.safetensors');
    const bytes = await readFile(file);
    bytes[bytes.length - 1] ^= 1;
    await writeFile(file, bytes);
    const lora = { targetModules: ['query'], r: 2, alpha: 4 };
    const path = await runOf({ ...contrastive, model: base, lora, steps: 1 }, pairs, 'pairs.tsv');
    await trainedBy(path);
    await change(path, { steps: 2, model: other });
    await expect(trainedBy(path, { resume: true })).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringMatching(/lora\.base: expected .* its adapter is over another model/),
    });
    await change(path, { model: same });
    await trainedBy(path, { resume: true });
  });

  it('saves an embedder that makes the vectors which it has learnt', async () => {
    const settings = {
      ...contrastive,
      model: await tinyFolder(),
      pooling: 'first',
      contextLength: 12,
    };
    const { model, data, options } = await openTrainingRun(
      await runOf(settings, pairs, 'pairs.tsv'),
    );
    const { folder = '' } = await train(model, data, options);
    model.dispose();
    const found = await readSentenceTransformers(folder);
    expect(found).toMatchObject({
      pooling: ['cls'],
      normalize: true,
      maxLength: 12,
      dimension: 32,
    });
  });

  it('gives a model that is no classifier the classes of the data', async () => {
    const settings = { task: 'classification', tokenizer: undefined, model: await tinyFolder() };
    const data = 'a cat\tanimal\na mat\tthing\na dog\tanimal\n';
    const { model } = await openTrainingRun(await runOf(settings, data, 'labelled.tsv'));
    expect(model.config.id2label).toEqual({ 0: 'animal', 1: 'thing' });
    model.dispose();
  });

  it('trains a new head beside an adapter, and opens both over the base', async () => {
    const base = await tinyFolder();
    const path = await runOf(
      {
        task: 'classification',
        tokenizer: undefined,
        model: base,
        lora: { targetModules: ['query', 'dense'], r: 2, dropout: 0.1 },
        learningRate: 0.01,
      },
      'a cat\tanimal\na mat\tthing\na dog\tanimal\n',
      'labelled.tsv',
    );
    const { model, data, options } = await openTrainingRun(path);
    const { folder: adapter = '' } = await train(model, data, options);
    model.dispose();
    const { modules_to_save: saved, lora_dropout: dropout } = JSON.parse(
      await readFile(join(adapter, 'adapter_config.json'), 'utf8'),
    );
    // The base has no pooler either.
    expect(saved).toEqual(['bert.pooler.dense', 'classifier']);
    expect(dropout).toBe(0.1);
    const merged = join(await temporaryFolder(), 'merged');
    await mergeAdapter(base, adapter, merged);
    const inputs = { inputIds: [[5, 9, 11, 3]] };
    using over = await load(base, { adapter });
    using alone = await load(merged);
    const [found, expected] = await Promise.all([over, alone].map((each) => each.forward(inputs)));
    expect(found?.logits?.shape).toEqual([1, 2]);
    for (const [i, logit] of (expected?.logits?.data ?? []).entries()) {
      expect(found?.logits?.data[i]).toBeCloseTo(logit, 5);
    }
    expect(over.config.id2label).toEqual({ 0: 'animal', 1: 'thing' });
    using further = await loadTrainable(base, { adapter });
    const names = further.adapter?.parameters.map(({ name }) => name);
    expect(names).toContain('classifier.weight');
    expect(names?.some((name) => name.startsWith('classifier.lora'))).toBe(false);
    const again = join(await temporaryFolder(), 'again');
    await further.adapter?.save(again);
    const weights = (folder: string) => readFile(join(folder, 'adapter_model.safetensors'));
    expect(await weights(again)).toEqual(await weights(adapter));
    expect(await readdir(again)).toContain('config.json');
  });

  it.each<[string, object, RegExp]>([
    ['an adapter of a new model', { lora: { targetModules: ['c_attn'] } }, /ERR_CONFIG.*lora/],
    [
      'an option of an adapter',
      { ...contrastive, model: tinyBert, lora: { targetModules: ['query'], rank: 2 } },
      /ERR_CONFIG.*lora.*rank/,
    ],
    [
      'a model without a class',
      { model: { ...gpt2, architectures: undefined, model_type: undefined } },
      /ERR_CONFIG.*model\.architectures: expected one of GPT2LMHeadModel, .*LlamaForCausalLM.*nothing/,
    ],
    [
      'a model of a type without a class',
      { model: { ...gpt2, architectures: [], model_type: 'gpt2' } },
      /ERR_CONFIG.*expected \["GPT2LMHeadModel"\], found an empty list/,
    ],
    ['a misspelt key', { stepz: 3 }, /ERR_CONFIG.*stepz.*'steps'/],
    ['a key like none', { qwertyuiop: 3 }, /ERR_CONFIG.*qwertyuiop.*one of task/],
    ['no steps', { steps: undefined }, /ERR_CONFIG.*steps.*whole number/],
    ['steps that are no number', { steps: '3' }, /ERR_CONFIG.*steps.*"3"/],
    ['another task', { task: 'translation' }, /ERR_CONFIG.*task.*sequence-to-sequence/],
    ['patience without an evaluation', { patience: 2 }, /ERR_CONFIG.*patience.*evaluation/],
    ['a mask rate of a language model', { maskRate: 0.2 }, /ERR_CONFIG.*maskRate.*contradicts/],
    ['a new model without a tokenizer', { tokenizer: undefined }, /ERR_CONFIG.*tokenizer/],
    ['a tokenizer beside a folder', { model: 'there' }, /ERR_CONFIG.*tokenizer.*contradicts/],
    ['an optimiser', { optimizer: { name: 'adamV' } }, /ERR_CONFIG.*optimizer\.name.*'adam/],
    [
      "an optimiser's option",
      { optimizer: { name: 'adamW', beta: 1 } },
      /ERR_CONFIG.*optimizer.*beta/,
    ],
    ['a rate of dropout', { dropout: 1 }, /ERR_CONFIG.*dropout.*less than 1/],
    ['a place of dropout', { dropout: { hidden: 0.1 } }, /ERR_CONFIG.*dropout.*hidden/],
    ['a schedule', { learningRate: { schedule: 'cosin', peak: 1 } }, /ERR_CONFIG.*'cosine'/],
    [
      "a schedule's key",
      { learningRate: { schedule: 'constant', peak: 1, floor: 0 } },
      /ERR_CONFIG.*floor/,
    ],
    [
      'warm-up to the end',
      { learningRate: { schedule: 'cosine', peak: 1, warmup: 3 } },
      /ERR_CONFIG.*warmup/,
    ],
    ['a context beyond the model', { contextLength: 99 }, /ERR_CONFIG.*contextLength.*16/],
    [
      'a vocabulary below the tokenizer',
      { model: { ...gpt2, vocab_size: 3 } },
      /ERR_CONFIG.*vocab_size/,
    ],
    [
      'a folder that is not there',
      { model: 'nowhere', tokenizer: undefined },
      /ERR_CONFIG.*config\.json: model: expected a model's folder.*nowhere/,
    ],
    [
      'an option of a group',
      { groups: [{ match: 'wte', decay: 0 }] },
      /ERR_CONFIG.*config\.json: groups\[0\].*decay/,
    ],
    [
      'a group of no parameter',
      { groups: [{ match: 'wtf' }] },
      /ERR_CONFIG.*config\.json: groups\[0\]: match.*wtf/,
    ],
    ['an unknown architecture', { model: { architectures: ['Elman'] } }, /ERR_UNSUPPORTED.*Elman/],
  ])('is refused for %s', async (_, fields, message) => {
    expect(await refusal(await runOf(fields))).toMatch(message);
  });

  it.each<[string, object, string | Uint8Array, string, RegExp]>([
    [
      'broken UTF-8',
      {},
      Buffer.from('one\ntw\xffo\n', 'latin1'),
      'data.txt',
      /ERR_FORMAT.*data\.txt: line 2.*UTF-8/,
    ],
    ['no text', {}, ' \n', 'data.txt', /ERR_INPUT.*data\.txt/],
    [
      'a missing column',
      { task: 'language-model' },
      'a\tb\nc\n',
      'data.tsv',
      /ERR_INPUT.*line 2.*two columns/,
    ],
    [
      'an empty column',
      { task: 'language-model' },
      'a\tb\nc\t \n',
      'data.tsv',
      /ERR_INPUT.*line 2.*answer/,
    ],
    [
      'a third column',
      { task: 'language-model' },
      'a\tb\tc\n',
      'data.tsv',
      /ERR_INPUT.*line 1.*found 3/,
    ],
  ])('is refused for data with %s', async (_, fields, data, name, message) => {
    expect(await refusal(await runOf(fields, data, name))).toMatch(message);
  });
});
