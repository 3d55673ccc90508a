import { defineConfig } from 'tsdown';

const shared = { platform: 'node', target: 'node20', outDir: 'dist' } as const;

export default defineConfig([
  {
    ...shared,
    entry: { index: 'lib/index.ts' },
    format: ['esm', 'cjs'],
    dts: true,
    shims: true, // import.meta.url in the CommonJS build: the addon and the workers are found by it
  },
  {
    ...shared,
    // What is started by path and never imported, so ESM alone.
    entry: {
      cli: 'lib/cli/main.ts',
      'reference-worker': 'lib/worker/reference.ts',
      'tokenizer-worker': 'lib/worker/tokenizer.ts',
    },
    format: ['esm'],
    dts: false,
  },
]);
