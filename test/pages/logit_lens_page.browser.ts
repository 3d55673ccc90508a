import { expect, it } from 'vitest';
import { type LogitLensPage, logitLensPage } from '../../lib/analysis/pages/logit_lens_page.js';
import { withPage } from './browser.js';

function pageOf(tokens: number, layers: number, wordOf = (i: number) => ` <b>${i}`): LogitLensPage {
  return {
    title: 'lens & "text"',
    tokens: Array.from({ length: tokens }, (_, i) => ({ text: `t${i}` })),
    length: tokens,
    vocabSize: 100,
    layers: Array.from({ length: layers }, (_, layer) => ({
      layer,
      positions: Array.from({ length: tokens }, (_, i) => ({
        entropy: 4 / (layer + 1),
        top: Array.from({ length: 5 }, (_, rank) => ({
          text: wordOf(layer * tokens + i + rank),
          probability: 0.5 ** (rank + 1),
        })),
      })),
    })),
  };
}

it('tells what each layer predicts', async () => {
  await withPage(logitLensPage(pageOf(6, 4)), async ({ page, faults }) => {
    await page.waitForSelector('body[data-ready]');
    const rows = page.locator('#lens tbody tr');
    expect(await rows.count()).toBe(4);
    expect(await rows.first().locator('th').textContent()).toBe('3');
    const cell = rows.nth(1).locator('td').nth(2); // layer 2, after t2
    expect(await cell.textContent()).toBe('<b>14');
    await cell.hover();
    expect(await page.textContent('#name')).toContain('Layer 2, after “t2”');
    const top = await page.locator('#top li').allTextContents();
    expect(top).toHaveLength(5);
    expect(top[0]).toContain('" <b>14"');
    expect(top[0]).toContain('50 %');
    await cell.click();
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowLeft');
    expect(await page.textContent('#name')).toContain('Layer 3, after “t1”');
    const before = await cell.evaluate(
      (td) =>
        (
          globalThis as never as { getComputedStyle(e: unknown): { backgroundColor: string } }
        ).getComputedStyle(td).backgroundColor,
    );
    await page.selectOption('#measure', 'entropy');
    const after = await cell.evaluate(
      (td) =>
        (
          globalThis as never as { getComputedStyle(e: unknown): { backgroundColor: string } }
        ).getComputedStyle(td).backgroundColor,
    );
    expect(after).not.toBe(before);
    expect(faults).toEqual([]);
  });
});

it('stays under 1 MB, and says what it leaves out', async () => {
  const html = logitLensPage(pageOf(256, 31, (i) => `${'ж'.repeat(80)}${i}`));
  expect(Buffer.byteLength(html)).toBeLessThan(1e6);
  expect(html).toMatch(/The table shows the first \d+ of 256 tokens/);
  const usual = logitLensPage(pageOf(256, 31));
  expect(Buffer.byteLength(usual)).toBeLessThan(1e6);
  expect(usual).not.toContain('The table shows the first');
});
