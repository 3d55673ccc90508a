import { expect, it } from 'vitest';
import { attentionStatistics } from '../../lib/analysis/attention_statistics.js';
import { type AttentionPage, attentionPage } from '../../lib/analysis/pages/attention_page.js';
import { withPage } from './browser.js';

/** Maps in which a head looks `head` tokens back, and a little at the first. */
function pageOf(n: number, layers: number, heads: number, noise = 0): AttentionPage {
  let seed = 1;
  const random = (): number => {
    seed = (seed * 48271) % 2147483647;
    return seed / 2147483647;
  };
  const layerOf = (layer: number) => {
    const weights = new Float32Array(heads * n * n);
    for (let head = 0; head < heads; head++) {
      for (let query = 0; query < n; query++) {
        const row = weights.subarray((head * n + query) * n, (head * n + query + 1) * n);
        row[0] = 0.25;
        row[Math.max(0, query - head)] += 0.75;
        for (let key = 0; key < query; key++) row[key] += noise * random() ** 8;
        const sum = row.reduce((a, b) => a + b, 0);
        row.forEach((weight, key) => {
          row[key] = weight / sum;
        });
      }
    }
    return { layer, weights, heads: attentionStatistics({ data: weights, shape: [heads, n, n] }) };
  };
  return {
    title: 'maps of <b>&amp;</b>',
    tokens: Array.from({ length: n }, (_, i) => ({ text: `w${i}<i>`, continues: i % 3 === 1 })),
    length: n,
    unit: 'nats',
    causal: true,
    layers: Array.from({ length: layers }, (_, i) => layerOf(i)),
  };
}

it('shows heads small and one large, links tokens, and sorts', async () => {
  const html = attentionPage(pageOf(9, 3, 4));
  await withPage(html, async ({ page, faults }) => {
    await page.waitForSelector('body[data-ready]');
    expect(await page.textContent('h1')).toBe('maps of <b>&amp;</b>');
    const heads = page.locator('#grid button');
    expect(await heads.count()).toBe(12);
    await heads.nth(6).click(); // layer 1, head 2
    expect(await page.textContent('#name')).toBe('Layer 1, head 2');
    const figures = await page.locator('#figures dd').allTextContents();
    // Queries 0 … 2 look at token 0 alone; 3 … 8 with 1/4 at 0 and 3/4 two back.
    const entropy = (6 / 9) * -(0.25 * Math.log(0.25) + 0.75 * Math.log(0.75));
    expect(Number(figures[0])).toBeCloseTo(entropy, 3);

    await page.locator('.token').nth(7).hover();
    expect(await page.textContent('#said')).toMatch(
      /8\. “w7<i>” attends to “w5<i>” 75 %, “w0<i>” 25 %/,
    );
    const widths = await page
      .locator('#flow path')
      .evaluateAll((paths) => paths.map((path) => Number(path.getAttribute('stroke-width'))));
    expect(widths).toHaveLength(2);
    expect(Math.max(...widths)).toBeGreaterThan(2 * Math.min(...widths));
    await page.check('[value=to]');
    await page.locator('.token').nth(5).hover();
    expect(await page.textContent('#said')).toMatch(/is attended to by “w7<i>” 75 %/);

    await page.locator('#measure').selectOption({ index: 1 });
    await page.selectOption('#order', 'down');
    const captions = await heads.allTextContents();
    const distances = captions.map((caption) => Number(caption.split(' ')[1]));
    expect(distances).toEqual([...distances].sort((a, b) => b - a));
    expect(captions[0]).toMatch(/^\d\.3 /);
    expect(faults).toEqual([]);
  });
});

it('is worked by keys, and fits a small screen', async () => {
  const html = attentionPage(pageOf(5, 2, 12));
  await withPage(html, async ({ page, faults }) => {
    await page.setViewportSize({ width: 360, height: 700 });
    await page.waitForSelector('body[data-ready]');
    await page.locator('#grid button').first().click();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    expect(await page.textContent('#name')).toBe('Layer 1, head 1');
    await page.keyboard.press('End');
    expect(await page.textContent('#name')).toBe('Layer 1, head 11');
    await page.locator('.token').first().focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.textContent('#said')).toMatch(/^2\. /);
    const wide = await page.evaluate('document.documentElement.scrollWidth');
    expect(wide).toBeLessThanOrEqual(360);
    expect(faults).toEqual([]);
  });
});

it('stays under 1 MB, and says what it leaves out', async () => {
  const html = attentionPage({ ...pageOf(256, 6, 12, 0.2), length: 300 });
  expect(html.length).toBeLessThan(1e6);
  await withPage(html, async ({ page, faults }) => {
    await page.waitForSelector('body[data-ready]');
    const notice = await page.textContent('.notice');
    expect(notice).toContain("Of the text's 300 tokens the first 256 were read.");
    const shown = await page.locator('.token').count();
    expect(shown).toBeLessThan(256);
    expect(shown).toBeGreaterThan(64);
    expect(notice).toContain(`first ${shown} of 256`);
    expect(faults).toEqual([]);
  });
});
