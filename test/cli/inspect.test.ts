import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixture, temporaryFolder, tinyFolder } from '../tasks/tiny_model.js';
import { heddle } from './heddle.js';

const encoder = await tinyFolder();
const decoder = await tinyFolder({
  from: fixture('models/gemma2/1'),
  config: {},
  tokenizer: false,
});
/** A tokenizer of as many words as the decoder has, told apart by spaces. */
const words = Object.fromEntries(Array.from({ length: 67 }, (_, id) => [`w${id}`, id]));
await writeFile(
  join(decoder, 'tokenizer.json'),
  JSON.stringify({
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab: words, unk_token: 'w0' },
  }),
);

describe('heddle inspect', () => {
  it('--attention prints entropies and a map, and writes a page', async () => {
    const page = join(await temporaryFolder(), 'new', 'page.html');
    const call = ['inspect', '--attention', encoder, 'an ox', '--html', page, '--head', '1.2'];
    const { code, stdout, stderr } = await heddle(call);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining(page) });
    expect(stdout).toMatch(/^layer 1( +.\d\.\d\d){4}/m);
    expect(stdout).toMatch(/layer 1, head 2 .*entropy \d/);
    expect(stdout).toMatch(/^\[CLS\] │.{12}│$/m);
    expect(await readFile(page, 'utf8')).toContain('<title>Attention of Bert');
  });

  it('--attention --json gives statistics of the layers asked for', async () => {
    const call = [
      'inspect',
      '--attention',
      '--json',
      encoder,
      'an ox',
      '--layers',
      '1',
      '--unit',
      'bits',
      '--head',
      '1.0',
    ];
    const { code, stdout } = await heddle(call);
    expect(code).toBe(0);
    const { layers, tokens, unit, head } = JSON.parse(stdout);
    expect(unit).toBe('bits');
    expect(tokens.map(({ text }: { text: string }) => text)).toEqual([
      '[CLS]',
      'a',
      'n',
      'o',
      'x',
      '[SEP]',
    ]);
    expect(layers.map(({ layer }: { layer: number }) => layer)).toEqual([1]);
    expect(layers[0].heads).toHaveLength(4);
    const sums = head.weights.map((row: number[]) => row.reduce((a, b) => a + b, 0));
    for (const sum of sums) expect(sum).toBeCloseTo(1, 5);
  });

  it('--logit-lens prints what layers predict, and writes a page', async () => {
    const page = join(await temporaryFolder(), 'lens.html');
    const call = ['inspect', '--logit-lens', decoder, 'w5 w6 w7', '--html', page];
    const { code, stdout } = await heddle(call);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^layer 3 .*w\d+ [01]\.\d\d/m);
    expect(await readFile(page, 'utf8')).toContain('<title>Logit lens of Gemma2ForCausalLM');
    const { stdout: json } = await heddle([...call, '--json', '--top-k', '2']);
    const { layers } = JSON.parse(json);
    expect(layers).toHaveLength(4);
    expect(layers[0].positions[2].top).toHaveLength(2);
  });

  it('--clusters prints histograms, and draws them', async () => {
    const plot = join(await temporaryFolder(), 'clusters.svg');
    const call = [
      'inspect',
      '--clusters',
      encoder,
      'an ox sat',
      '--plot',
      plot,
      '--threshold',
      '0.5',
    ];
    const { code, stdout } = await heddle(call);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ +2 +-?\d\.\d{3} +\d+ +▕.{40}▏$/m);
    expect(await readFile(plot, 'utf8')).toMatch(/^<svg .*mean inner product/s);
    const { stdout: json } = await heddle([...call, '--json']);
    const { layers, threshold } = JSON.parse(json);
    expect(threshold).toBe(0.5);
    const pairs = layers.map(({ histogram }: { histogram: number[] }) =>
      histogram.reduce((a, b) => a + b),
    );
    expect(pairs).toEqual([36, 36, 36]); // nine tokens
  });

  it('--positions prints how positions are told, and draws it', async () => {
    const plot = join(await temporaryFolder(), 'positions.svg');
    const { code, stdout } = await heddle(['inspect', '--positions', encoder, '--plot', plot]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^a learned table, in the embeddings: .*\n[▁▂▃▄▅▆▇█]{24}$/m);
    expect(stdout).toMatch(/a token sees all tokens before and after itself, in layers 0–1/);
    expect(await readFile(plot, 'utf8')).toMatch(/^<svg .*mean cosine of two positions/s);
    const { stdout: json } = await heddle(['inspect', '--positions', '--json', decoder]);
    expect(JSON.parse(json).encodings[0]).toMatchObject({ kind: 'rotary', layers: [0, 1, 2] });
  });

  it('says that a text was cut, and how to have more of it', async () => {
    const { stderr } = await heddle([
      'inspect',
      '--attention',
      encoder,
      'an ox',
      '--max-tokens',
      '3',
    ]);
    expect(stderr).toContain("first 3 of the text's 6 tokens");
  });

  const wrong: [string, string[], number, RegExp][] = [
    ['no text', ['--attention', encoder], 2, /--attention needs a text/],
    ['an empty text', ['--attention', encoder, ''], 1, /at least one token/],
    ['a text for nothing', [encoder, 'a'], 2, /--attention, --logit-lens, --clusters/],
    [
      'a text for positions',
      ['--positions', encoder, 'a'],
      2,
      /a text is for one of .*--clusters; found --positions/,
    ],
    ['two views', ['--attention', '--clusters', encoder, 'a'], 2, /--attention and --clusters/],
    [
      "another view's option",
      ['--clusters', encoder, 'a', '--html', 'x'],
      2,
      /--html is for --attention/,
    ],
    ['a layer too many', ['--attention', encoder, 'a', '--layers', '0-2'], 2, /0 to 1/],
    ['layers that are none', ['--attention', encoder, 'a', '--layers', 'x'], 2, /--layers.*'x'/],
    ['a head too many', ['--attention', encoder, 'a', '--head', '0.4'], 2, /heads 0 to 3/],
    ['the lens of an encoder', ['--logit-lens', encoder, 'a'], 1, /ForCausalLM.*--attention/],
    ['a threshold', ['--clusters', encoder, 'a', '--threshold', '2'], 2, /-1 to 1/],
    [
      'a page that cannot be',
      ['--attention', encoder, 'a', '--html', '/dev/null/x'],
      1,
      /--html.*cannot be written/,
    ],
  ];
  it.each(wrong)('refuses %s', async (_, args, code, message) => {
    const found = await heddle(['inspect', ...args]);
    expect(found).toMatchObject({ code, stderr: expect.stringMatching(message) });
    expect(found.stderr.trim().split('\n')).toHaveLength(1);
  });
});
