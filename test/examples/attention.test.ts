import { expect, it } from 'vitest';
import { example } from './example_data.js';

it('attention.mjs hardens a lookup and mends letters', async () => {
  const { code, stdout, stderr } = await example('attention.mjs');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('Infinity  1.000  0.000  0.000');
  const [, lost = '', mended = ''] = stdout.split(/is lost:|after three:/);
  expect(lost).toContain('?????   ?????   ?????   ?????');
  expect(mended).toContain('#...#   #####   ####.   #####'); // the last row of H, E, D, L
  expect(mended).not.toContain('?');
});
