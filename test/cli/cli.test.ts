import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { load } from '../../lib/tasks/load.js';
import {
  cosine,
  sentenceTransformers,
  shardedBert,
  temporaryFolder,
  tinyBert,
  tinyFolder,
} from '../tasks/tiny_model.js';
import { heddle, shell } from './heddle.js';

const prompts = { prompts: { query: 'ab: ' } };
const folder = await tinyFolder({ files: sentenceTransformers({}, { prompts }) });
const model = ['--model', folder];

const lines = (stdout: string): { text: string; embedding: number[] }[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('heddle', () => {
  it('prints help and version', async () => {
    const help = await heddle(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const command of ['embed', 'search', 'fill', 'classify', 'rerank', 'inspect', 'build']) {
      expect(help.stdout).toContain(command);
      const own = await heddle([command, '--help']);
      expect(own).toMatchObject({ code: 0, stderr: '' });
      expect(own.stdout).toContain(`heddle ${command}`);
    }
    expect(await heddle(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^heddle\/\d+\.\d+\.\d+ /),
    });
  });

  const wrongCalls: [args: string[], message: RegExp][] = [
    [['nonsense'], /no command 'nonsense'.*--help/],
    [['embed', ...model], /expected texts or --file/],
    [['embed', ...model, '--bogus', 'a'], /bogus/],
    [['embed', ...model, 'a', '-5'], /-5/],
    [['embed', 'a', '--model'], /--model/],
    [['embed', ...model, 'a', '--dtype', 'int3'], /--dtype.*float32.*'int3'/],
    [['embed', ...model, 'a', '--pooling', 'median'], /--pooling.*mean.*'median'/],
    [['embed', ...model, 'a', '--prompt-name', 'no'], /promptName.*query.*'no'/],
    [['search', 'words'], /files/],
    [['search', 'words', 'a.md', '--limit', '0'], /--limit.*'0'/],
    [['inspect'], /source/],
  ];

  it.each(wrongCalls)('refuses the call %j with exit code 2', async (args, message) => {
    const { code, stdout, stderr } = await heddle(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^heddle: [^\n]+\n$/);
  });

  it('prints help for no command, as a wrong call', async () => {
    expect(await heddle([])).toMatchObject({ code: 2, stdout: expect.stringContaining('embed') });
  });

  const failures: [args: string[], message: RegExp][] = [
    [['embed', '--model', 'nobody/nothing', 'a'], /nobody\/nothing/],
    [['embed', '--model', tinyBert, 'a'], /tokenizer\.json/],
    [['embed', ...model, '--file', 'no-such-file.txt'], /no-such-file\.txt/],
    [['embed', ...model, '--file', tinyBert], /bert\/a/],
    [['search', ...model, 'words', 'no-such-file.md'], /no-such-file\.md/],
    [['search', ...model, 'words', tinyBert], /no text/],
    [['inspect', 'no-such-folder'], /no-such-folder/],
    [['inspect', '.'], /config\.json/],
  ];

  it.each(failures)('fails at %j with exit code 1 and one line', async (args, message) => {
    const { code, stdout, stderr } = await heddle(args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^heddle: [^\n]+\n$/);
  });

  it('says how to get the default model where it is not there', async () => {
    const empty = await temporaryFolder();
    const env = { XDG_CACHE_HOME: empty, HF_HOME: empty, HF_HUB_CACHE: empty };
    const { code, stderr } = await heddle(['embed', 'a'], { env });
    expect(code).toBe(1);
    expect(stderr).toMatch(/--model.*all-MiniLM-L6-v2.*fetch-minilm\.mjs/);
  });
});

describe('heddle embed', () => {
  it('prints one JSON object a line, the vectors of the library, and notes on stderr alone', async () => {
    using library = await load(folder);
    const texts = ['a cat', '1e3', '007', 'true', '', '--json', '-x', 'ä "quoted"\nline'];
    const { code, stdout, stderr } = await heddle(['embed', ...model, '--json', '--', ...texts]);
    expect(code).toBe(0);
    const vectors = await library.embed(texts);
    expect(lines(stdout)).toEqual(
      texts.map((text, i) => ({ text, embedding: Array.from(vectors[i]) })),
    );
    expect(stderr).toMatch(/8 texts, 32 dimensions/);
  });

  it('takes texts that look like numbers before -- too', async () => {
    const { stdout } = await heddle([
      'embed',
      ...model,
      '--json',
      '1e3',
      'true',
      '007',
      '--',
      '0x10',
    ]);
    const texts = lines(stdout).map(({ text }) => text);
    expect(texts).toEqual(['1e3', 'true', '007', '0x10']);
  });

  it('reads lines of a file and of stdin', async () => {
    const file = join(await temporaryFolder(), 'texts.txt');
    await writeFile(file, 'one\r\n\r\ntwo\nthree');
    const fromFile = await heddle(['embed', ...model, '--json', '--file', file, 'zero']);
    expect(lines(fromFile.stdout).map(({ text }) => text)).toEqual(['zero', 'one', 'two', 'three']);
    const args = ['embed', '--file', '-', ...model, '--json'];
    const fromStdin = await heddle(args, { stdin: 'one\ntwo\nthree\n' });
    expect(fromStdin.code).toBe(0);
    expect(lines(fromStdin.stdout)).toEqual(lines(fromFile.stdout).slice(1));
    expect(await heddle(args, { stdin: '\n' })).toMatchObject({ code: 2, stdout: '' });
  });

  it('follows --pooling, --prompt-name and --dtype', async () => {
    using library = await load(folder, { dtype: 'bfloat16' });
    const options = ['--pooling', 'max', '--prompt-name', 'query', '--dtype', 'bfloat16'];
    const { stdout } = await heddle(['embed', ...model, ...options, '--json', 'a cat']);
    const [vector] = await library.embed('a cat', { pooling: 'max', promptName: 'query' });
    expect(lines(stdout)[0].embedding).toEqual(Array.from(vector));
  });

  it('prints a line a text for people', async () => {
    const { code, stdout } = await heddle(['embed', ...model, 'a cat', 'w'.repeat(100)]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\[( ?-?\d\.\d{4} ){4}…\] {2}a cat\n\[.*…\] {2}w{59}…\n$/);
  });

  it('ends quietly when its reader has enough', async () => {
    const file = join(await temporaryFolder(), 'texts.txt');
    await writeFile(file, new Array(2000).fill('a line of words').join('\n'));
    const line = 'set -o pipefail; $heddle embed "$@" | head -1';
    const { code, stdout, stderr } = await shell(line, [...model, '--json', '--file', file]);
    expect(code).toBe(0);
    expect(lines(stdout)).toHaveLength(1);
    expect(stderr).not.toMatch(/EPIPE|Error/);
  });
});

describe('heddle search', () => {
  it('ranks passages as JSON and for people', async () => {
    const notes = await temporaryFolder();
    await mkdir(join(notes, 'deep'));
    await writeFile(join(notes, 'a.md'), '# Cats\n\na cat sits\n\n# Dogs\n\na dog runs\n');
    await writeFile(join(notes, 'deep', 'b.txt'), 'numbers 1 2 3');
    await writeFile(join(notes, 'deep', 'c.bin'), 'not read');
    const { code, stdout, stderr } = await heddle([
      'search',
      ...model,
      '--json',
      'a cat sits',
      notes,
    ]);
    expect([code, stderr]).toEqual([0, '']);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ query: 'a cat sits', passages: 3 });
    const files = document.results.map(({ file }: { file: string }) =>
      file.slice(notes.length + 1),
    );
    expect(files.sort()).toEqual(['a.md', 'a.md', 'deep/b.txt']);
    const cats = document.results.find(
      ({ headings }: { headings: string[] }) => headings[0] === 'Cats',
    );
    expect(cats).toMatchObject({ line: 3, text: 'a cat sits', score: expect.any(Number) });
    const people = await heddle([
      'search',
      ...model,
      '--limit',
      '1',
      'a cat sits',
      join(notes, 'a.md'),
    ]);
    expect(people.stdout).toMatch(/^0\.\d{3} {2}\S*a\.md:[37] {2}(Cats|Dogs)\n {7}a \w+ \w+\n\n$/);
    expect(people.stderr).toMatch(/2 passages in .* a second/);
  });
});

describe('heddle inspect', () => {
  it('gives architecture, parameters and tensors as JSON', async () => {
    const { code, stdout, stderr } = await heddle(['inspect', shardedBert, '--json']);
    expect([code, stderr]).toEqual([0, '']);
    const facts = JSON.parse(stdout);
    expect(facts).toMatchObject({
      architecture: 'BertForSequenceClassification',
      supported: true,
      files: 3,
    });
    const words = facts.tensors.find(({ name }: { name: string }) =>
      name.endsWith('word_embeddings.weight'),
    );
    expect(words).toMatchObject({ dtype: 'BF16', shape: [203, 36] });
    const sizes = facts.tensors.map(({ shape }: { shape: number[] }) =>
      shape.reduce((a, b) => a * b, 1),
    );
    expect(facts.parameters.total).toBe(sizes.reduce((a: number, b: number) => a + b, 0));
    expect(facts.bytes).toBe(2 * facts.parameters.total);
  });

  it('prints a table, also of models that it cannot run', async () => {
    const other = await tinyFolder({ config: { architectures: ['GPT9'], model_type: 'gpt9' } });
    const { code, stdout } = await heddle(['inspect', other]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^tensor +dtype +shape +size\n/);
    expect(stdout).toMatch(/architecture +GPT9 +\(not one that Heddle runs\)/);
    expect(stdout).toMatch(/parameters +28,320\n/);
  });
});

describe('HEDDLE_ variables', () => {
  const args = ['embed', ...model, '--json', 'a cat', 'two dogs run'];
  const vectorsWith = async (env: Record<string, string>): Promise<number[][]> => {
    const { code, stdout, stderr } = await heddle(args, { env });
    expect({ env, code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.not.stringMatching(/warn/i),
    });
    return lines(stdout).map(({ embedding }) => embedding);
  };

  it('choose backend, instruction set and threads, which give one result', async () => {
    const native = await vectorsWith({});
    expect(await vectorsWith({ HEDDLE_THREADS: '1' })).toEqual(native);
    expect(
      await vectorsWith({ HEDDLE_BACKEND: 'native', HEDDLE_ISA: '', HEDDLE_THREADS: '' }),
    ).toEqual(native);
    const reference = await vectorsWith({ HEDDLE_BACKEND: 'reference' });
    const scalar = await vectorsWith({ HEDDLE_ISA: 'scalar' });
    for (const other of [reference, scalar]) {
      for (const [i, vector] of other.entries()) {
        expect(cosine(vector, native[i])).toBeGreaterThan(0.999999);
      }
    }
    expect(scalar).not.toEqual(native); // it rounds otherwise, or was not chosen
    expect(reference).not.toEqual(native);
  });

  it.each([
    ['HEDDLE_ISA', 'nonsense'],
    ['HEDDLE_THREADS', '0'],
    ['HEDDLE_THREADS', 'abc'],
    ['HEDDLE_THREADS', '-1'],
    ['HEDDLE_THREADS', '1e9'],
    ['HEDDLE_BACKEND', 'gpu'],
  ])('%s=%s is a wrong call', async (name, value) => {
    const finished = await heddle(args, { env: { [name]: value } });
    expect(finished).toMatchObject({ code: 2, stdout: '' });
    expect(finished.stderr).toMatch(new RegExp(`^heddle: ${name}: [^\\n]*'${value}'[^\\n]*\\n$`));
  });
});

describe('without the addon', async () => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const unbuilt = await temporaryFolder();
  for (const part of ['dist', 'package.json', 'binding.gyp']) {
    await cp(join(root, part), join(unbuilt, part), { recursive: true });
  }
  await symlink(join(root, 'node_modules'), join(unbuilt, 'node_modules'));
  const command = join(unbuilt, 'dist', 'cli.mjs');
  const args = ['embed', ...model, '--json', 'a cat'];

  it('everything works, with one warning that names the command to build it', async () => {
    const { code, stdout, stderr } = await heddle(args, { command });
    expect(code).toBe(0);
    const native = await heddle(args);
    expect(cosine(lines(stdout)[0].embedding, lines(native.stdout)[0].embedding)).toBeGreaterThan(
      0.999999,
    );
    expect(stderr.match(/npx heddle build/g)).toHaveLength(1);
    expect(stderr.match(/Warning:/g)).toHaveLength(1);
  });

  it('an addon that does not load is as good as none, and says why', async () => {
    await mkdir(join(unbuilt, 'build', 'Release'), { recursive: true });
    await writeFile(join(unbuilt, 'build', 'Release', 'heddle.node'), 'no library');
    const { code, stdout, stderr } = await heddle(args, { command });
    expect(code).toBe(0);
    expect(lines(stdout)).toHaveLength(1);
    expect(stderr).toMatch(/does not load.*npx heddle build/s);
    expect(await heddle(args, { command, env: { HEDDLE_BACKEND: 'native' } })).toMatchObject({
      code: 1,
    });
  });
});
