import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pipeline } from '../../lib/tasks/pipeline.js';
import { fixture, temporaryFolder } from '../tasks/tiny_model.js';
import { heddle } from './heddle.js';

const modelOf = (name: string): string[] => ['--model', fixture(`tasks/${name}`)];
const json = async (...args: string[]): Promise<unknown> => {
  const { code, stdout, stderr } = await heddle([...args, '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
};

describe('heddle fill', () => {
  it('prints what the pipeline gives', async () => {
    const text = 'The [MASK] sat on the mat.';
    const fill = await pipeline('fill-mask', fixture('tasks/fill-bert'));
    const expected = await fill(text, { top_k: 3 });
    await fill.dispose();
    expect(await json('fill', text, ...modelOf('fill-bert'), '--top-k', '3')).toEqual(expected);
    const shown = await heddle(['fill', text, ...modelOf('fill-bert')]);
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout.trimEnd().split('\n')).toHaveLength(5);
    expect(shown.stdout).toContain(expected[0].sequence);
  });

  it('says what is wrong', async () => {
    const none = await heddle(['fill', 'no mask', ...modelOf('fill-bert')]);
    expect(none).toMatchObject({ code: 1, stderr: expect.stringMatching(/\[MASK\].*found none/) });
    const other = await heddle(['fill', 'a [MASK]', ...modelOf('classify')]);
    expect(other).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/masked lm.*BertForSequenceClassification/),
    });
    expect(await heddle(['fill', 'a [MASK]'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--model'),
    });
  });
});

describe('heddle classify', () => {
  it('prints what the pipeline gives, for one text and for several', async () => {
    const texts = ['I like it.', 'Never again!'];
    const classify = await pipeline('text-classification', fixture('tasks/classify'));
    const model = modelOf('classify');
    expect(await json('classify', ...texts, ...model)).toEqual(await classify(texts));
    expect(await json('classify', texts[0], ...model)).toEqual(await classify(texts[0]));
    const all = await classify(texts[0], { top_k: 3 });
    expect(await json('classify', texts[0], ...model, '--top-k', '3')).toEqual(all);
    await classify.dispose();
    const shown = await heddle(['classify', ...texts, ...model]);
    expect(shown.stdout).toMatch(/^(joy|anger|fear) 0\.\d{3} {2}I like it\.\n/);
  });

  it('takes labels of its caller', async () => {
    const zeroShot = await pipeline('zero-shot-classification', fixture('tasks/entail'));
    const expected = await zeroShot('They won.', ['sport', 'politics'], {
      multi_label: true,
      hypothesis_template: 'It is {}.',
    });
    await zeroShot.dispose();
    const args = ['They won.', ...modelOf('entail'), '--labels', 'sport, politics'];
    const options = ['--multi-label', '--template', 'It is {}.'];
    expect(await json('classify', ...args, ...options)).toEqual(expected);
    expect(await json('classify', 'They lost.', ...args)).toHaveLength(2);
    const shown = await heddle(['classify', ...args]);
    expect(shown.stdout).toMatch(/sport 0\.\d+.*They won\.\n$/);
  });

  it('says what is wrong, and how many texts were cut', async () => {
    const wrong = await heddle(['classify', 'a', ...modelOf('classify'), '--labels', 'x']);
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('entailment') });
    const alone = await heddle(['classify', 'a', ...modelOf('classify'), '--multi-label']);
    expect(alone).toMatchObject({ code: 2, stderr: expect.stringContaining('--labels') });
    const long = await heddle(['classify', 'a '.repeat(100), 'b', ...modelOf('classify')]);
    expect(long).toMatchObject({ code: 0, stderr: '1 text was cut to 64 tokens\n' });
  });
});

describe('heddle rerank', () => {
  it('ranks texts and lines of files', async () => {
    const file = join(await temporaryFolder(), 'found.txt');
    await writeFile(file, 'In 1960.\n\nBy Harper Lee.\n');
    const args = ['who wrote it', 'It was written.', file, ...modelOf('rank')];
    const ranked = (await json('rerank', ...args)) as { index: number; document: string }[];
    expect(ranked.map(({ index }) => index).sort()).toEqual([0, 1, 2]);
    expect(ranked.find(({ index }) => index === 2)?.document).toBe('By Harper Lee.');
    expect(await json('rerank', ...args, '--top-k', '1')).toEqual(ranked.slice(0, 1));
    const shown = await heddle(['rerank', ...args]);
    expect(shown.stdout.split('\n')[0]).toMatch(/^0\.\d{4} {2}/);
  });

  it('says what is wrong', async () => {
    expect(await heddle(['rerank', 'a', 'b'])).toMatchObject({ code: 2 });
    expect(await heddle(['rerank', 'a', ...modelOf('rank')])).toMatchObject({ code: 2 });
    const other = await heddle(['rerank', 'a', 'b', ...modelOf('classify')]);
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('one label') });
  });
});
