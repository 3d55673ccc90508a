import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A process of its own for each file: a crash of the addon names the file it happened in, and
    // every file has its own counters, environment and engine.
    pool: 'forks',
    maxWorkers: 2,
    // For what hangs, not for what is slow: a busy machine takes ten times as long, and a first run downloads a model.
    testTimeout: 300_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 60_000 } },
    // No test asks the real hub; those of the hub have one of their own.
    env: { HF_HUB_OFFLINE: '1' },
    // .ci/run counts the tests by this report.
    reporters: process.env.CI ? ['default', 'json'] : ['default'],
    outputFile: { json: 'build/ci/vitest-all.json' },
  },
});
