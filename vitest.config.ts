import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A process of its own for each file: a crash of the addon names the file it happened in, and
    // every file has its own counters, environment and engine.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 120_000,
    // No test asks the real hub; those of the hub have one of their own.
    env: { HF_HUB_OFFLINE: '1' },
    // .ci/run counts the tests by this report.
    reporters: process.env.CI ? ['default', 'json'] : ['default'],
    outputFile: { json: 'build/ci/vitest-all.json' },
  },
});
