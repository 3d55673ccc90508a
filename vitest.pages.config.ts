import { defineConfig } from 'vitest/config';

/** Pages in a real browser: needs Chromium, which `.ci/run` installs. */
export default defineConfig({
  test: {
    include: ['test/pages/**/*.browser.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    env: { HF_HUB_OFFLINE: '1' },
    reporters: process.env.CI ? ['default', 'json'] : ['default'],
    outputFile: { json: 'build/ci/vitest-pages.json' },
  },
});
