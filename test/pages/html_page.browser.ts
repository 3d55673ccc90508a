import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { htmlPage } from '../../lib/analysis/pages/html_page.js';
import { withPage } from './browser.js';

it('hands data to the script as they are', async () => {
  const data = { text: '</script><!-- <script> \u2028 "quotes" & \'more\'', n: [1, 2.5, null] };
  const script = "document.querySelector('p').textContent = JSON.stringify(data);";
  await withPage(htmlPage({ title: 'data', body: '<p></p>', data, script }), async (opened) => {
    expect(JSON.parse((await opened.page.textContent('p')) ?? '')).toEqual(data);
    expect(opened.faults).toEqual([]);
  });
});

it('loads nothing from elsewhere, whatever stands in it', async () => {
  let asked = 0;
  const server = createServer((_, response) => {
    asked++;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const body = `<img src="http://127.0.0.1:${port}/x.png"><p>text</p>`;
    await withPage(htmlPage({ title: 'closed', body }), async ({ page, faults }) => {
      expect(await page.textContent('p')).toBe('text');
      expect(faults.some((fault) => fault.includes('Content Security Policy'))).toBe(true);
    });
    expect(asked).toBe(0);
  } finally {
    server.close();
  }
});
