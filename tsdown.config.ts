import { readFile } from 'node:fs/promises';
import licensePlugin from 'rollup-plugin-license';
import { defineConfig, type UserConfig } from 'tsdown';

/** `./x.page.js?raw`: the script of a page as text, as Vite's imports of that form, which the tests use. */
const rawImports = {
  name: 'raw-imports',
  load: {
    filter: { id: /\?raw$/ },
    handler: async (id: string) =>
      `export default ${JSON.stringify(await readFile(id.slice(0, -'?raw'.length), 'utf8'))};`,
  },
};

// Its types name a default export; the module itself is the function.
const license = licensePlugin as unknown as typeof licensePlugin.default;

const shared = {
  platform: 'node',
  target: 'node20',
  outDir: 'dist',
  plugins: [rawImports],
} satisfies UserConfig;

/** What every call of the command needs, and what nearly every one does. */
const always = /[\\/]lib[\\/](?:errors|cli[\\/](?:arguments|output))|[\\/]package\.json$/;
const core = /[\\/]lib[\\/](?:(?:graph|ops|layers|models|checkpoints)[\\/]|native)/;

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
    // What draws plots is compiled into the command: as dependencies, it would double an install.
    deps: { alwaysBundle: ['cac', /^vega/, /^d3-/], onlyBundle: false },
    // A command is to start at once: few files, without white space and comments; names stay for stack traces.
    minify: {
      compress: false,
      mangle: { toplevel: false, keepNames: true },
      codegen: { removeWhitespace: true },
    },
    outputOptions: {
      codeSplitting: {
        groups: [
          { name: 'command', test: always },
          { name: 'core', test: core },
        ],
      },
    },
    plugins: [rawImports, license({ thirdParty: { output: 'dist/THIRD_PARTY_LICENSES.txt' } })],
  },
]);
