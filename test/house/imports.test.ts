import { describe, expect, it } from 'vitest';
import { wrongImports } from './imports.js';
import { sources } from './sources.js';

describe('imports in lib/', () => {
  const files = sources(['lib'], ['.ts']);

  it('point one way in every file', () => {
    expect(files.length).toBeGreaterThan(0);
    expect(files.flatMap(wrongImports)).toEqual([]);
  });

  const cases: [path: string, specifier: string, allowed: boolean][] = [
    ['lib/layers/linear.ts', '../ops/linear.js', true],
    ['lib/ops/linear.ts', '../layers/linear.js', false],
    ['lib/ops/linear.ts', './norm.js', true],
    ['lib/graph/run.ts', '../errors.js', true],
    ['lib/native.ts', './graph/run.js', false],
    ['lib/checkpoints/weights.ts', '../graph/state.js', true],
    ['lib/checkpoints/weights.ts', '../ops/linear.js', false],
    ['lib/text/tokenizer.ts', '../errors.js', true],
    ['lib/text/tokenizer.ts', '../graph/state.js', false],
    ['lib/models/bert.ts', '../checkpoints/config.js', false],
    ['lib/tasks/load.ts', '../checkpoints/config.js', true],
    ['lib/tasks/embed.ts', '../text/tokenizer.js', false],
    ['lib/train/trainer.ts', '../analysis/cost.js', false],
    ['lib/generation/random.ts', '../layers/random_source.js', true],
    ['lib/models/llama.ts', '../generation/engine.js', false],
    ['lib/generation/generate.ts', '../text/tokenizer.js', false],
    ['lib/cli/main.ts', '../index.js', false],
    ['lib/cli/main.ts', '../checkpoints/config.js', false],
    ['lib/cli/main.ts', '../../package.json', true],
    ['lib/cli/main.ts', '../../test/native.js', false],
    ['lib/worker/reference.ts', '../graph/reference.js', true],
    ['lib/somewhere/new.ts', '../graph/run.js', false],
  ];
  it.each(cases)('%s importing %s: allowed %s', (path, specifier, allowed) => {
    for (const text of [
      `import { x } from '${specifier}';`,
      `import '${specifier}';`,
      `export * from '${specifier}';`,
      `const x = await import('${specifier}');`,
    ]) {
      expect(wrongImports({ path, text }).length, text).toBe(allowed ? 0 : 1);
    }
  });

  it('lets tasks know the types that text and checkpoints give them', () => {
    const typeOnly = "import type { Tokenizer } from '../text/tokenizer.js';";
    const inline = "export type T = import('../text/tokenizer.js').Tokenizer;";
    for (const text of [typeOnly, inline]) {
      expect(wrongImports({ path: 'lib/tasks/embed.ts', text })).toEqual([]);
      expect(wrongImports({ path: 'lib/models/bert.ts', text })).toHaveLength(1);
    }
  });
});
