/** Every family in bfloat16, int8 and int4, against itself in float32: on random weights, which forgive less than trained ones. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { load } from '../../lib/tasks/load.js';
import '../native.js';

const root = fileURLToPath(new URL('../fixtures/models', import.meta.url));
const folders = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name === 'cases.json')
  .map((entry) => entry.parentPath);

type Inputs = Parameters<Awaited<ReturnType<typeof load>>['forward']>[0];

/** The last hidden states of a folder's first case. */
async function hidden(
  folder: string,
  dtype: 'float32' | 'bfloat16' | 'int8' | 'int4',
): Promise<Float32Array> {
  const { cases } = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));
  const { inputs } = cases[0] as { inputs: Record<string, unknown> };
  const camel = (name: string): string =>
    name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const given = Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [camel(name), value]),
  );
  using model = await load(folder, { dtype });
  const outputs = await model.forward(given as unknown as Inputs, { outputs: ['lastHiddenState'] });
  return outputs.lastHiddenState.data;
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number =>
    x.reduce((sum, value, i) => sum + value * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** Rounding may send a row to another expert, one that was nearly as good for it: its result then is another. */
const mixtureBounds = { bfloat16: 0.99, int8: 0.9, int4: 0.5 };
const isMixture = (folder: string): boolean => /mixtral|_moe/.test(folder);

describe.each(folders.map((folder) => [folder.slice(root.length + 1), folder]))(
  '%s',
  (_, folder) => {
    it('keeps the direction of its hidden states', async () => {
      const exact = await hidden(folder, 'float32');
      const bounds = isMixture(folder)
        ? mixtureBounds
        : { bfloat16: 0.9995, int8: 0.995, int4: 0.85 };
      expect(cosine(await hidden(folder, 'bfloat16'), exact)).toBeGreaterThan(bounds.bfloat16);
      expect(cosine(await hidden(folder, 'int8'), exact)).toBeGreaterThan(bounds.int8);
      expect(cosine(await hidden(folder, 'int4'), exact)).toBeGreaterThan(bounds.int4);
    });
  },
);
