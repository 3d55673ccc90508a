import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tinyBert } from '../tasks/tiny_model.js';
import { script } from './heddle.js';

const models = dirname(dirname(tinyBert));

describe('npm run conformance', () => {
  const wrongCalls: [args: string[], message: RegExp][] = [
    [[], /^usage: /],
    [['models'], /^usage: /],
    [['nonsense', models], /^usage: /],
    [['models', models, '--bogus'], /--bogus/],
    [['models', models, '--families', 'nosuch'], /--families.*bert.*'nosuch'/],
    [['models', models, '--families', 'bert,'], /--families.*bert.*''/],
    [['models', 'no-such-folder'], /no-such-folder/],
  ];

  it.each(wrongCalls)(
    'refuses the call %j with one line and exit code 2',
    async (args, message) => {
      const { code, stdout, stderr } = await script('conformance.mjs', args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(message);
      expect(stderr).toMatch(/^[^\n]+\n$/);
    },
  );

  it('runs the families named', async () => {
    const args = ['models', models, '--families', 'bert', '--json'];
    const { code, stdout } = await script('conformance.mjs', args);
    expect(code).toBe(0);
    const { families } = JSON.parse(stdout);
    expect(families).toEqual([
      { family: 'bert', passed: families[0].total, total: families[0].total },
    ]);
    expect(families[0].total).toBeGreaterThan(0);
  });

  it('names a folder without cases, and goes on', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'heddle-conformance-'));
    await mkdir(join(folder, 'bert', 'empty'), { recursive: true });
    await cp(tinyBert, join(folder, 'bert', 'whole'), { recursive: true });
    const { code, stdout } = await script('conformance.mjs', ['models', folder, '--json']);
    const { families, failures } = JSON.parse(stdout);
    expect(code).toBe(1);
    expect(families[0].passed).toBe(families[0].total - 1);
    expect(failures).toEqual([
      {
        family: 'bert',
        variant: 'empty',
        name: 'cases',
        error: expect.stringContaining('cases.json'),
      },
    ]);
    await rm(folder, { recursive: true });
  });

  const training = join(dirname(models), 'training');

  it('follows training runs', async () => {
    const { code, stdout } = await script('conformance.mjs', ['training', training, '--json']);
    const { runs, failures } = JSON.parse(stdout);
    expect({ code, failures }).toEqual({ code: 0, failures: [] });
    expect(runs).toMatchObject(
      ['deberta_v2', 'encdec', 'gpt_neox', 'llama', 'mixtral', 'mpnet', 'qwen3_moe'].map(
        (model) => ({ model, passed: 4, total: 4 }),
      ),
    );
    // Where a second moment is tiny, Adam magnifies what gradients are apart.
    const limits = {
      loss: 1e-5,
      'gradient norm': 2e-5,
      'first gradients': 1e-6,
      'final weights': 5e-5,
    };
    for (const { greatest } of runs) {
      expect(Object.keys(greatest)).toEqual(Object.keys(limits));
      for (const [name, limit] of Object.entries(limits)) {
        expect(greatest[name], name).toBeLessThan(limit);
      }
    }
  });

  it('says where a training run departs', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'heddle-training-'));
    try {
      await cp(training, folder, { recursive: true });
      const file = join(folder, 'encdec/run.json');
      const run = JSON.parse(await readFile(file, 'utf8'));
      run.trajectory[2].loss += 0.001;
      await writeFile(file, JSON.stringify(run));
      const args = ['training', folder, '--runs', 'encdec', '--json'];
      const { code, stdout } = await script('conformance.mjs', args);
      const { runs, failures } = JSON.parse(stdout);
      expect(code).toBe(1);
      expect(runs).toMatchObject([{ model: 'encdec', passed: 3, total: 4 }]);
      expect(failures).toMatchObject([
        { name: 'loss', error: expect.stringMatching(/^step 3: 1/) },
      ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
