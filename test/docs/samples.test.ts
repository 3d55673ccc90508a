/** What the documents say that can be tried: samples, links, and the commands they share with scripts. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, describe, expect, it } from 'vitest';
import { minilmFolder } from '../../scripts/fetch-minilm.mjs';
import { type Finished, node } from '../cli/heddle.js';
import { brokenLinks, documents, read, samplesOf } from './documents.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

await minilmFolder(); // what the samples load by its hub id
// In the package's folder, where 'heddle' means the package itself.
await mkdir(join(root, 'build'), { recursive: true });
const folder = await mkdtemp(join(root, 'build', 'samples-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

let files = 0;
async function runSample(code: string): Promise<Finished> {
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  const { outputText } = ts.transpileModule(code, { compilerOptions: options });
  const file = join(folder, `sample${files++}.mjs`);
  await writeFile(file, outputText);
  return node([file], root);
}

describe('samples', () => {
  const samples = [
    'README.md',
    'docs/api.md',
    'docs/tasks.md',
    'docs/generation.md',
    'docs/inspect.md',
    'docs/attention.md',
  ].flatMap((file) => samplesOf(file, read(file)));

  it('are found', () => {
    const counted = (file: string) => samples.filter((sample) => sample.file === file).length;
    expect(counted('README.md')).toBeGreaterThan(3);
    expect(counted('docs/api.md')).toBeGreaterThan(1);
    expect(counted('docs/tasks.md')).toBeGreaterThan(1);
  });

  it.each(samples)(
    '$file:$line runs as it stands',
    async ({ code }) => {
      const { code: exitCode, stderr } = await runSample(code);
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    },
    120_000,
  );

  it('would not pass with a mistake in them', async () => {
    const sample = `import { load } from 'heddle';\nusing model = await load('nobody/nothing');\n`;
    const { code, stderr } = await runSample(sample);
    expect(code).not.toBe(0);
    expect(stderr).toContain('ERR_NOT_FOUND');
  });
});

describe('links', () => {
  it('point to files that are there', () => {
    expect(documents().length).toBeGreaterThan(5);
    expect(documents().flatMap((file) => brokenLinks(file, read(file)))).toEqual([]);
  });

  it('are seen in text and pictures, not in code or to other sites', () => {
    const text = [
      '[a](no/a.md) ![b](no/b.svg) [c](README.md#part) [d](https://example.org/d) [e](#here)',
      '`[f](no/f.md)`',
      '```',
      '[g](no/g.md)',
      '```',
      '[h](no/h.md#part "title")',
    ].join('\n');
    expect(brokenLinks('x.md', text)).toEqual(['x.md: no/a.md', 'x.md: no/b.svg', 'x.md: no/h.md']);
    expect(brokenLinks('docs/x.md', '[a](README.md) [b](../README.md)')).toEqual([
      'docs/x.md: README.md',
    ]);
  });
});

it('README names the command for Windows that the install script names', async () => {
  const { onWindows } = await import(
    new URL('../../scripts/build-tools.mjs', import.meta.url).href
  );
  expect(read('README.md')).toContain(`| Windows | \`${onWindows()}\` |`);
});
