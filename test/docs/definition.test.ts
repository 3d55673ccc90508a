/** Runs docs/definition.md: each equation against the engine and against the float64 definitions. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { registeredOps } from '../../lib/graph/rules.js';
import '../../lib/ops/index.js';
import { type Finished, node } from '../cli/heddle.js';
import { programOf, read } from './documents.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const text = read('docs/definition.md');
const program = programOf(text);

// In the package's folder, where 'heddle' means the package itself.
await mkdir(join(root, 'build'), { recursive: true });
const folder = await mkdtemp(join(root, 'build', 'definition-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

let files = 0;
async function runProgram(code: string, backend = 'native'): Promise<Finished> {
  const file = join(folder, `definition${files++}.mjs`);
  await writeFile(file, code);
  return node([file], root, { HEDDLE_BACKEND: backend });
}

describe('docs/definition.md', () => {
  it.each(['native', 'reference'])('holds on the %s backend', async (backend) => {
    const { code, stderr } = await runProgram(program, backend);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  const mistakes: [what: string, right: string, wrong: string][] = [
    ['no √d_model', 'Math.sqrt(d) * e', 'e'],
    ['wavelengths by column', '(2 * i) / width', 'column / width'],
    ['a mask that lets a little through', '? 0 : -Infinity', '? 0 : -1'],
    [
      'a sub-layer without its residual connection',
      'norm(add(a, feedForward(a, of, name)), of,',
      'norm(feedForward(a, of, name), of,',
    ],
    ['smoothing over the other classes', 'smoothing / vocabulary', 'smoothing / (vocabulary - 1)'],
    ['heads of keys in turn', 'Math.floor(i / (h / g))', 'i % g'],
    ['a longer chain', 'sequential: 3 * n + 1', 'sequential: 3 * n'],
  ];
  it.concurrent.each(mistakes)('would not hold with %s', async (_, right, wrong) => {
    expect(program.split(right)).toHaveLength(2);
    const { code, stderr } = await runProgram(program.replace(right, () => wrong));
    expect(code).not.toBe(0);
    expect(stderr).toContain('AssertionError');
  });

  it('has a function and code for each equation', () => {
    const sections = text.split(/^##+ /m).filter((section) => section.includes('$$'));
    expect(sections.length).toBeGreaterThan(12);
    for (const section of sections) {
      const title = section.split('\n')[0];
      const afterEquations = section.slice(section.lastIndexOf('$$'));
      expect(afterEquations, title).toContain('**Function:** `');
      expect(afterEquations, title).toContain('```js\n');
    }
  });

  it('names operations that there are, and functions where they are defined', () => {
    const operations = [...program.matchAll(/is\('(\w+)'/g)].map(([, name]) => name);
    expect(new Set(operations).size).toBeGreaterThan(8);
    expect(operations.filter((name) => !registeredOps().includes(name))).toEqual([]);
    const named = [...text.matchAll(/`(\w+)` in\s\[(lib\/[\w/]+\.ts)\]/g)];
    expect(named.length).toBeGreaterThan(12);
    for (const [, name, file] of named) {
      const defined = new RegExp(
        `export (async )?(function|class|const) ${name}\\b|name: '${name}'|binary\\(\\s*'${name}'`,
      );
      expect(read(file), `${name} in ${file}`).toMatch(defined);
    }
  });
});
