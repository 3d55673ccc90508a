import { expect, it } from 'vitest';
import { tinyFolder } from '../tasks/tiny_model.js';
import { example } from './example_data.js';

it('inside.mjs says which heads look at the fewest tokens, and how alike tokens are', async () => {
  const { code, stdout, stderr } = await example('inside.mjs', await tinyFolder(), 'a cat sat');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(
    /^9 tokens; the heads that look at fewest of them:\n( {2}layer \d, head \d: [\d.]+ nats, .*\n){5}/,
  );
  expect(stdout).toMatch(/how alike.*\n {2}0: mean inner product .*\n {2}1: .*\n {2}2: .*\n$/);
});

it('particles.mjs counts clusters over time', async () => {
  const { code, stdout, stderr } = await example('particles.mjs', '16', '2', '8');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const rows = stdout.trim().split('\n').slice(1);
  expect(rows.map((row) => row.split(/\s{2,}/)[0])).toEqual([
    'β = 0.5',
    'β = 2',
    'β = 8',
    'β = 32',
  ]);
  for (const row of rows) {
    const clusters = [...row.matchAll(/t = \d+: (\d+)/g)].map(([, count]) => Number(count));
    expect(clusters).toHaveLength(7);
    expect(clusters[0]).toBe(16);
    expect(clusters.at(-1)).toBeLessThan(16);
  }
});
