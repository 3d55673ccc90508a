import { cp, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { load } from '../../lib/tasks/load.js';
import { pipeline } from '../../lib/tasks/pipeline.js';
import { fixture } from '../models/decoders.js';
import { heddle } from './heddle.js';

let folder: string;

/** A checkpoint of ids with a tokenizer of words, and a template that joins the messages. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heddle-generate-'));
  await cp(fixture('llama/1'), folder, { recursive: true });
  const vocab = Object.fromEntries(Array.from({ length: 60 }, (_, id) => [`w${id}`, id]));
  const tokenizer = {
    model: { type: 'WordLevel', vocab, unk_token: 'w0' },
    pre_tokenizer: { type: 'WhitespaceSplit' },
  };
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  const chat_template = '{% for m in messages %}{{ m.content }} {% endfor %}';
  await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify({ chat_template }));
  // What the tokenizer has no words for is never written.
  const suppress_tokens = Array.from({ length: 200 }, (_, i) => 60 + i);
  await writeFile(join(folder, 'generation_config.json'), JSON.stringify({ suppress_tokens }));
});

const report = (stdout: string) =>
  JSON.parse(stdout) as { ids: number[]; text: string; finishReason: string; promptTokens: number };

describe('a language model without a tokenizer', () => {
  it.each(['generate', 'chat', 'score'])('is refused by %s under its own name', async (command) => {
    const file = join(folder, 'tokenizer_config.json');
    const args = { generate: ['hello'], chat: [], score: [file] }[command] ?? [];
    const { code, stderr } = await heddle([command, '--model', fixture('llama/1'), ...args]);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^heddle: ${command}: .*llama.1 has no tokenizer\\.json`));
  });
});

describe('heddle generate', () => {
  it('prints one document with ids, text and times', async () => {
    const args = [
      'generate',
      '--model',
      folder,
      '--json',
      '--max-new-tokens',
      '5',
      '--temperature',
      '0',
      'w3 w7 w9',
    ];
    const { stdout, code } = await heddle(args);
    expect(code).toBe(0);
    const found = report(stdout);
    expect(found).toEqual({
      ids: found.ids,
      text: found.ids.map((id) => `w${id}`).join(' '),
      finishReason: found.ids.length === 5 ? 'length' : 'stop',
      promptTokens: 3,
      prefillSeconds: expect.any(Number),
      decodeSeconds: expect.any(Number),
    });
    const { stdout: text } = await heddle(args.filter((arg) => arg !== '--json'));
    expect(text).toBe(`${found.text}\n`);
    const generate = await pipeline('text-generation', folder);
    const same = await generate('w3 w7 w9', { max_new_tokens: 5, return_full_text: false });
    expect(same).toEqual([{ generated_text: found.text }]);
    await generate.dispose();
  });

  it('says what is wrong with a call', async () => {
    const cases: [args: string[], code: number, message: RegExp][] = [
      [['w1'], 2, /--model: expected/],
      [['--model', folder, '--top-k', 'x', 'w1'], 2, /--top-k: expected a whole number/],
      [['--model', folder, '--system', 'w2', 'w1'], 2, /--system: needs --chat/],
      [
        ['--model', folder, '--top-p', '3', 'w1'],
        2,
        /--top-p: expected a number above 0, up to 1, found 3/,
      ],
      [
        ['--model', folder, 'w1 '.repeat(500)],
        1,
        /prompt: expected fewer ids than the model's context/,
      ],
      [['--model', fixture('bert/a'), 'w1'], 1, /writes none/],
    ];
    for (const [args, code, message] of cases) {
      const found = await heddle(['generate', ...args]);
      expect([found.code, found.stderr]).toEqual([code, expect.stringMatching(message)]);
    }
  });
});

describe('heddle score', () => {
  it('prints the perplexity of a file or of stdin', async () => {
    const text = Array.from({ length: 130 }, (_, i) => `w${3 + ((i * 31) % 57)}`).join('\n');
    const file = join(folder, 'text.txt');
    await writeFile(file, text);
    using model = await load(folder);
    const expected = await model.perplexity(text);
    expect(expected.tokens).toBe(129);
    const args = ['score', '--model', folder];
    const whole = await heddle([...args, '--json', file]);
    expect([whole.code, JSON.parse(whole.stdout)]).toEqual([0, expected]);
    const piped = await heddle([...args, '--window', '50', '--stride', '20', '-'], { stdin: text });
    const { perplexity } = await model.perplexity(text, { window: 50, stride: 20 });
    expect(piped.stdout).toBe(`perplexity ${perplexity.toPrecision(6)} over 129 tokens\n`);
  });

  it('says what is wrong with a call', async () => {
    const file = join(folder, 'one_word.txt');
    await writeFile(file, 'w1');
    const cases: [args: string[], code: number, message: RegExp][] = [
      [['-'], 2, /--model: expected/],
      [['--model', folder, file], 1, /at least two ids/],
      [['--model', folder, '--window', '1000', file], 2, /window: expected a whole number from 2/],
      [['--model', folder, '--window', '0', '-'], 2, /--window: expected a whole number/],
      [['--model', folder, join(folder, 'none.txt')], 1, /none\.txt: cannot be read/],
      [['--model', fixture('bert/a'), file], 1, /writes none/],
    ];
    for (const [args, code, message] of cases) {
      const found = await heddle(['score', ...args]);
      expect([found.code, found.stderr]).toEqual([code, expect.stringMatching(message)]);
    }
  });
});

describe('heddle chat', () => {
  it('answers the lines of a pipe, each with those before it', async () => {
    const args = [
      'chat',
      '--model',
      folder,
      '--max-new-tokens',
      '3',
      '--temperature',
      '0',
      '--system',
      'w5',
    ];
    const { stdout, stderr, code } = await heddle(args, { stdin: 'w3\nw4\n/system\n' });
    expect(code).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(2);
    expect(stderr).toContain('system: w5');
    expect(stderr.match(/\[\d tokens?, first after/g)).toHaveLength(2);
  });
});
