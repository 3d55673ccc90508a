/** Opens pages in headless Chromium, without a network. */
import { execFileSync } from 'node:child_process';
import { chromium, type Page } from 'playwright-core';

export interface OpenedPage {
  readonly page: Page;
  /** Errors of scripts and of the console, and addresses asked for beside the page itself. */
  readonly faults: string[];
}

/** Runs `look` on a page that is one file; the browser is closed afterwards. */
export async function withPage(
  html: string,
  look: (opened: OpenedPage) => Promise<void>,
): Promise<void> {
  const browser = await chromium.launch({
    executablePath: chromiumPath(),
    args: ['--no-sandbox'], // as root, in containers
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(`script: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(`console: ${message.text()}`);
    });
    page.on('request', (request) => {
      if (request.url() !== 'about:blank') faults.push(`asked for ${request.url()}`);
    });
    await page.setContent(html);
    await look({ page, faults });
  } finally {
    await browser.close();
  }
}

function chromiumPath(): string {
  try {
    return execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim();
  } catch {
    throw new Error(
      'These tests need Chromium: install it, for example by apt-get install chromium',
    );
  }
}
