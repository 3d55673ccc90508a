import { dirname } from 'node:path';
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
});
