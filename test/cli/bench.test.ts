import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixture, temporaryFolder } from '../tasks/tiny_model.js';
import { heddle } from './heddle.js';

const model = ['--profile', fixture('tasks/classify')];

describe('heddle bench', () => {
  it('prints the nodes of a plan with their rates, and writes a trace of every run', async () => {
    const trace = join(await temporaryFolder(), 'trace.json');
    const args = ['I like it.', 'Never again!', ...model, '--runs', '2', '--trace', trace];
    const { code, stdout, stderr } = await heddle(['bench', ...args, '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { ceilings, nodes, texts } = JSON.parse(stdout);
    expect(texts).toBe(2);
    expect(Math.min(ceilings.gflops, ceilings.gbps)).toBeGreaterThan(0);
    expect(nodes.map(({ index }: { index: number }) => index)).toEqual([...nodes.keys()]);
    const linear = nodes.find(({ op }: { op: string }) => op === 'linear');
    expect(linear).toMatchObject({ name: expect.stringMatching(/./) });
    expect(linear.roofline).toBeGreaterThan(0);
    const shares = nodes.reduce((sum: number, { share }: { share: number }) => sum + share, 0);
    expect(shares).toBeCloseTo(1, 6);

    const { traceEvents } = JSON.parse(await readFile(trace, 'utf8'));
    const runs = traceEvents.filter(({ cat }: { cat?: string }) => cat === 'run');
    expect(runs).toHaveLength(2);
    expect(traceEvents).toHaveLength(2 + runs.length * (1 + nodes.length));
  });

  it('prints a table', async () => {
    const { code, stdout, stderr } = await heddle(['bench', ...model, '--runs', '1']);
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^32 texts in \d.* GFLOP\/s .* GB\/s\n$/),
    });
    expect(stdout).toMatch(/^node +op +name +ms +time +GFLOP\/s +GB\/s +roofline\n/);
    expect(stdout).toMatch(/linear +\S.* %\n/);
  });

  it('says what is wrong', async () => {
    const noFolder = await heddle(['bench', 'a', ...model, '--trace', '/dev/null/trace.json']);
    expect(noFolder).toMatchObject({ code: 1, stderr: expect.stringContaining('/dev/null') });
    const none = await heddle(['bench', ...model, '--runs', '0']);
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('--runs') });
    const env = { HEDDLE_BACKEND: 'reference' };
    const slow = await heddle(['bench', 'a', ...model], { env });
    expect(slow).toMatchObject({ code: 1, stderr: expect.stringContaining('TypeScript') });
  });
});
