import { expect, it } from 'vitest';
import { reportPage } from '../../lib/cli/training_report.js';
import { withPage } from './browser.js';

it('draws a training run', async () => {
  const lines = Array.from({ length: 50 }, (_, i) => ({
    step: 10 * (i + 1),
    loss: 5 / (1 + i),
    gradNorm: 1 / (1 + i),
    learningRate: 1e-3,
    tokensPerSecond: 1e4 + i,
    ...(i % 10 === 9 ? { evaluation: { loss: 6 / (1 + i), accuracy: i / 50 } } : {}),
  }));
  const title = 'copy <b>&amp;</b>';
  const html = reportPage({ title, steps: 500 }, lines as Parameters<typeof reportPage>[1]);
  expect(html.length).toBeLessThan(1e6);
  await withPage(html, async ({ page, faults }) => {
    expect(await page.textContent('h1')).toBe(title);
    expect(await page.locator('h1 b').count()).toBe(0);
    expect(await page.locator('svg').count()).toBe(5);
    const shown = await page.locator('svg').first().boundingBox();
    expect(shown?.width).toBeGreaterThan(500);
    expect(await page.textContent('dl')).toContain('500 of 500');
    expect(faults).toEqual([]);
  });
});
