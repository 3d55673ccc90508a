import { readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../tasks/tiny_model.js';
import { heddle } from './heddle.js';

const few = ['particles', '--n', '6', '--d', '3', '--beta', '2', '--time', '1', '--samples', '5'];

describe('heddle particles', () => {
  it('prints what it measured as one document', async () => {
    const { code, stdout, stderr } = await heddle([...few, '--dynamics', 'usa', '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const run = JSON.parse(stdout);
    expect(run.times).toEqual([0, 0.25, 0.5, 0.75, 1]);
    for (const name of ['meanInnerProduct', 'energy', 'clusters'])
      expect(run[name]).toHaveLength(5);
    expect(run).toMatchObject({ n: 6, d: 3, beta: 2, dynamics: 'usa', tolerance: 1e-6 });
    expect(run).not.toHaveProperty('positions');
  });

  it('writes an animation, pictures and a plot, and prints a table', async () => {
    const folder = await temporaryFolder();
    const [html, frames, plot] = ['a/page.html', 'frames', 'plot.svg'].map((name) =>
      join(folder, name),
    );
    const files = ['--html', html, '--frames', frames, '--plot', plot] as string[];
    const { code, stdout, stderr } = await heddle([...few, ...files]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ +time +clusters +mean inner product +energy\n *0\.000 +6 /);
    expect(stderr).toMatch(/^\d+ steps, \d+ rejected, \d+ evaluations, tolerance 0\.000001\n$/);
    expect(await readFile(html as string, 'utf8')).toContain('SA dynamics of 6 particles');
    expect(await readFile(plot as string, 'utf8')).toMatch(/^<svg .*clusters.*energy/s);
    const pictures = await readdir(frames as string);
    expect(pictures.sort()).toEqual([0, 1, 2, 3, 4].map((i) => `frame-${i}.svg`));
    const last = await readFile(join(frames as string, 'frame-4.svg'), 'utf8');
    expect(last.match(/<circle/g)).toHaveLength(7);
  });

  it('takes points and matrices from files, and negative numbers', async () => {
    const folder = await temporaryFolder();
    const points = join(folder, 'points.json');
    const matrix = join(folder, 'matrix.json');
    await writeFile(points, '[[2, 0], [0, 3]]');
    await writeFile(matrix, '[[0, -1], [1, 0]]');
    // Q = K = a turn, which leaves inner products as they are; V = −I drives two particles apart.
    const turned = ['--query', matrix, '--key', matrix, '--value', '-1', '--init', points];
    const size = ['--n', '2', '--d', '2', '--beta', '-0.5', '--time', '40'];
    const { code, stdout, stderr } = await heddle([
      'particles',
      ...size,
      ...turned,
      '--positions',
      '--json',
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { meanInnerProduct, positions, beta } = JSON.parse(stdout);
    expect(beta).toBe(-0.5);
    expect(meanInnerProduct.at(-1)).toBeCloseTo(-1, 5);
    expect(positions[0]).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(positions).toHaveLength(101);
  });

  it('counts one step as one', async () => {
    const { stderr } = await heddle(
      few.map((word, i) => (few[i - 1] === '--time' ? '1e-9' : word)),
    );
    expect(stderr).toMatch(/^1 step, 0 rejected/);
  });

  it('says what is wrong', async () => {
    const cases: [args: string[], code: number, says: RegExp][] = [
      [['--n', '0'], 2, /n: expected a whole number from 1/],
      [['--beta', 'NaN'], 2, /beta: expected a finite number, found 'NaN'/],
      [['--init', 'orthogonal'], 2, /n ≤ d/],
      [['--dynamics', 'softmax'], 2, /'sa', 'usa'/],
      [
        ['--query', '/nowhere.json'],
        2,
        /--query: expected random, a number or a JSON file.*ENOENT/,
      ],
      [['--d', '4', '--html', 'x.html'], 2, /d = 2 and d = 3, found d = 4/],
      [['--samples', '1000000', '--positions', '--json'], 2, /--positions: expected at most/],
      [['--html', tmpdir()], 1, /--html: .* cannot be written \(it is a folder\)/],
      [['--plot', tmpdir()], 1, /--plot: .* cannot be written \(it is a folder\)/],
      [['--frames', import.meta.filename], 1, /--frames: .* cannot be written \(it is no folder\)/],
      [['--html', join(import.meta.filename, 'x')], 1, /--html: .* cannot be written/],
      [['--key', join(import.meta.dirname, 'particles.test.ts')], 1, /is not JSON/],
    ];
    for (const [args, code, says] of cases) {
      // An option given twice is a list.
      const others = few.filter(
        (_, i) => i === 0 || !args.includes(few[i - ((i + 1) % 2)] as string),
      );
      const result = await heddle([...others, ...args]);
      expect({ ...result, args }).toMatchObject({
        code,
        stdout: '',
        stderr: expect.stringMatching(says),
      });
    }
  });
});
