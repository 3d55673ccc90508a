/**
 * Makes the pictures of docs/inspect.md but those of positions. Usage, after `npx tsdown`, with Chromium installed:
 * node scripts/inside-pictures.mjs docs/images LANGUAGE_MODEL
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { minilmFolder } from './fetch-minilm.mjs';

const [, , out, languageModel] = process.argv;
if (languageModel === undefined)
  throw new Error('usage: node scripts/inside-pictures.mjs OUT MODEL');
const root = fileURLToPath(new URL('..', import.meta.url));
const inspect = (...args) =>
  execFileSync(process.execPath, [join(root, 'dist', 'cli.mjs'), 'inspect', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
const minilm = await minilmFolder();
const prose = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8').slice(0, 1500);
inspect('--clusters', minilm, prose, '--plot', join(out, 'clusters-encoder.svg'));
inspect('--clusters', languageModel, prose, '--plot', join(out, 'clusters-decoder.svg'));

const folder = mkdtempSync(join(tmpdir(), 'heddle-pages-'));
const executablePath = execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim();
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
try {
  /** Takes a picture of a page after `act`. */
  const shoot = async (name, html, act) => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
    await page.goto(pathToFileURL(html).href);
    await page.waitForSelector('body[data-ready]');
    await act(page);
    await page.screenshot({ path: join(out, name) });
    await page.close();
  };
  const attention = join(folder, 'attention.html');
  const trophy = 'The trophy did not fit into the suitcase because it was too big.';
  inspect('--attention', minilm, trophy, '--html', attention);
  await shoot('attention-page.png', attention, (page) => page.locator('.token').nth(10).hover());
  const lens = join(folder, 'lens.html');
  const capitals = 'The capital of France is Paris, and the capital of Germany is';
  inspect('--logit-lens', languageModel, capitals, '--html', lens);
  await shoot('logit-lens-page.png', lens, async () => {});
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
