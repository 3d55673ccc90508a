import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freshTrainable } from '../../lib/tasks/load_trainable.js';
import { letterTokenizer, temporaryFolder, tinyBert, tinyFolder } from '../tasks/tiny_model.js';
import { example, writeNovels, writePairs, writePassages } from './example_data.js';

const folderOf = async (name: string): Promise<string> => join(await temporaryFolder(), name);

const readJson = async (...path: string[]) => JSON.parse(await readFile(join(...path), 'utf8'));

/** What a run has noted of a step, and of the test. */
async function metricsOf(folder: string) {
  const text = await readFile(join(folder, 'run', 'metrics.jsonl'), 'utf8');
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { evaluations: lines.filter(({ evaluation }) => evaluation), test: lines.at(-1).test };
}

describe('examples/tasks.mjs', () => {
  const answers: [string, RegExp, (item: string) => string][] = [
    ['copy', /^([a-t] ){2,11}[a-t]$/, (item) => item],
    ['reverse', /^([a-t] ){2,11}[a-t]$/, (item) => item.split(' ').reverse().join(' ')],
    ['sort', /^([a-t] ){2,11}[a-t]$/, (item) => item.split(' ').sort().join(' ')],
    [
      'recall',
      /^(k\d+ v\d+ ){3,8}\? k\d+$/,
      (item) => {
        const [pairs = '', key] = item.split(' ? ');
        return / (v\d+)/.exec(pairs.slice(pairs.indexOf(`${key} `)))?.[1] ?? '';
      },
    ],
    [
      'modular-addition',
      /^\d+ \+ \d+ =$/,
      (item) => {
        const [a, , b] = item.split(' ').map(Number);
        return String(((a as number) + (b as number)) % 29);
      },
    ],
  ];

  it.each(answers)(
    '%s has right answers, parts without a common item, and a score of the test',
    async (task, form, answerOf) => {
      const folder = await folderOf(task);
      const { code, stdout, stderr } = await example('tasks.mjs', task, folder, '--steps', '2');
      expect({ code, stderr }).toMatchObject({
        code: 0,
        stderr: expect.stringContaining('2 steps'),
      });
      const seen: string[] = [];
      for (const part of ['training', 'validation', 'test']) {
        const text = await readFile(join(folder, `${part}.tsv`), 'utf8');
        for (const line of text.trim().split('\n')) {
          const [item = '', answer] = line.split('\t');
          expect(item).toMatch(form);
          expect(answer).toBe(answerOf(item));
          seen.push(item);
        }
      }
      expect(new Set(seen).size).toBe(seen.length);
      const { test } = await metricsOf(folder);
      const count = task === 'modular-addition' ? 100 : 300;
      const share = (100 * test.accuracy).toFixed(1);
      expect(stdout).toBe(`${share} % of ${count} items of the test right\n`);
    },
  );

  it.each([
    [[], /which task/],
    [['copi'], /usage: node examples\/tasks\.mjs copy\|/],
    [['copy', 'folder', 'more'], /more: one argument too many/],
    [['copy', '--steps', 'few'], /--steps: not a whole number/],
    [['copy', '--step', '2'], /--step/],
  ])('says how it is called: %j', async (args, message) => {
    const { code, stderr } = await example('tasks.mjs', ...args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(message) });
  });
});

describe('examples/language-model.mjs', () => {
  it.each(['characters', 'subwords'])('learns %s, and writes', async (kind) => {
    const folder = await folderOf(kind);
    await writeNovels(folder);
    const args = ['language-model.mjs', kind, folder, '--steps', '2'];
    const { code, stdout, stderr } = await example(...args);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('2 steps') });
    const [, bits, written] =
      /^([\d.]+) bits per character[^\n]*\n\nShe had always …\n(.+)/ms.exec(stdout) ?? [];
    expect(written).not.toBe('');
    const { test } = await metricsOf(folder);
    const text = await readFile(join(folder, 'test.txt'), 'utf8');
    expect(text).toBe(await readFile(join(folder, 'novels', 'northanger-abbey.txt'), 'utf8'));
    // Of characters each is a token: bits are the loss in another unit.
    if (kind === 'characters') expect(Number(bits)).toBeCloseTo(test.loss / Math.LN2, 3);
    else expect(Number(bits)).toBeLessThan(test.loss / Math.LN2);
  });
});

const encoder = {
  architectures: ['BertModel'],
  model_type: 'bert',
  vocab_size: 256,
  hidden_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 64,
};

describe('examples that fine-tune an encoder', () => {
  it('classifier.mjs compares what it has learnt with the most frequent genre', async () => {
    const folder = await folderOf('classifier');
    await writePassages(folder);
    const base = await temporaryFolder();
    using model = freshTrainable(encoder, 1);
    await model.save(base);
    await writeFile(join(base, 'tokenizer.json'), JSON.stringify(await letterTokenizer()));
    const args = ['classifier.mjs', folder, '--steps', '2', '--model', base];
    const { code, stdout, stderr } = await example(...args);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('2 steps') });
    const { test } = await metricsOf(folder);
    const share = (100 * test.accuracy).toFixed(1);
    expect(stdout).toContain(
      `${share} % of 24 passages of the test right; 'humor' for all: 66.7 %`,
    );
    expect(await readJson(folder, 'run', 'model', 'config.json')).toMatchObject({
      architectures: ['BertForSequenceClassification'],
      id2label: { 0: 'humor', 1: 'news' },
    });
  });

  it('embedder.mjs counts translations that are nearest, before and after', async () => {
    const folder = await folderOf('embedder');
    await writePairs(folder);
    const base = await tinyFolder();
    const args = ['embedder.mjs', folder, '--steps', '2', '--model', base];
    const { code, stdout, stderr } = await example(...args);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('2 steps') });
    expect(stdout).toMatch(
      /^translations that are the nearest of 40: [\d.]+ % before, [\d.]+ % after\n$/,
    );
    const { evaluations } = await metricsOf(folder);
    expect(evaluations).toHaveLength(1);
  });

  it('say what is wrong with the folder of a model', async () => {
    const folder = await folderOf('embedder');
    await writePairs(folder);
    const { code, stderr } = await example('embedder.mjs', folder, '--model', tinyBert);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/tokenizer/) });
  });
});

describe('examples/translation.mjs', () => {
  it('translates the test and scores it', async () => {
    const folder = await folderOf('translation');
    await writePairs(folder);
    const { code, stdout, stderr } = await example('translation.mjs', folder, '--steps', '2');
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('2 steps') });
    expect(stdout).toMatch(/^(Open file \d+\n {2}→ .*\n){3}BLEU/m);
    expect(stdout).toMatch(/^BLEU\|.* = [\d.]+ .*\nchrF2\|.* = [\d.]+\n/m);
    const lines = async (name: string) =>
      (await readFile(join(folder, name), 'utf8')).trimEnd().split('\n').length;
    expect(await lines('references.txt')).toBe(40);
  });
});
