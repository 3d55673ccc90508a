import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bleu } from '../../lib/scores/bleu.js';
import { chrf } from '../../lib/scores/chrf.js';
import { temporaryFolder } from '../tasks/tiny_model.js';
import { heddle } from './heddle.js';

describe('heddle score', () => {
  it('names a file that is empty, before it opens the model', async () => {
    const file = join(await temporaryFolder(), 'empty.txt');
    await writeFile(file, '');
    const { code, stderr } = await heddle(['score', file, '--model', '/none']);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `heddle: ${file}: expected a text, found an empty file\n`,
    });
  });
});

describe('heddle score --references', () => {
  it('prints what bleu and chrf give', async () => {
    const folder = await temporaryFolder();
    const write = async (name: string, lines: string[]): Promise<string> => {
      await writeFile(join(folder, name), `${lines.join('\n')}\n`);
      return join(folder, name);
    };
    const translations = ['the cat sat on the mat .', '', 'A dog ran'];
    const first = ['the cat sat on a mat .', 'nothing', 'A dog ran'];
    const second = ['a cat sat on a mat .', 'empty', 'One dog ran'];
    const hypotheses = await write('translations.txt', translations);
    const files = [await write('first.txt', first), await write('second.txt', second)];
    const references = first.map((text, i) => [text, second[i] as string]);
    const flags = files.flatMap((file) => ['--references', file]);
    const { code, stdout, stderr } = await heddle(['score', hypotheses, ...flags, '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      bleu: bleu(translations, references),
      chrf: chrf(translations, references),
      'chrf++': chrf(translations, references, { wordOrder: 2 }),
    });
    const short = await write('short.txt', ['one line']);
    const wrong = await heddle(['score', hypotheses, '--references', short]);
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringMatching(/has, 3.*found 1/) });
    const model = await heddle(['score', hypotheses, '--references', short, '--model', 'x']);
    expect(model).toMatchObject({ code: 2, stderr: expect.stringContaining('--model') });
  });
});
