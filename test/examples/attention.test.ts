import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { node } from '../cli/heddle.js';

it('examples/attention.mjs hardens a lookup and mends letters', async () => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const { code, stdout, stderr } = await node(['examples/attention.mjs'], root);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('Infinity  1.000  0.000  0.000');
  const [, lost = '', mended = ''] = stdout.split(/is lost:|after three:/);
  expect(lost).toContain('?????   ?????   ?????   ?????');
  expect(mended).toContain('#...#   #####   ####.   #####'); // the last row of H, E, D, L
  expect(mended).not.toContain('?');
});
