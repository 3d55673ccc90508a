import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { estimate } from '../../lib/tasks/estimate.js';
import { estimateSource } from '../../lib/tasks/estimate_source.js';
import { inspect } from '../../lib/tasks/inspect.js';

const models = 'test/fixtures/models';
const folders = readdirSync(models).flatMap((family) =>
  readdirSync(join(models, family))
    .map((name) => join(models, family, name))
    .filter((folder) => existsSync(join(folder, 'config.json'))),
);

interface Counted {
  config: Record<string, unknown>;
  parameters: number;
}
const counted: Counted[] = JSON.parse(
  readFileSync('test/fixtures/estimate/parameter_counts.json', 'utf8'),
);

const sum = (parts: object): number => Object.values(parts).reduce((a, b) => a + b, 0);

describe('parameters', () => {
  it.each(folders)(
    'of %s are the elements of its tensors, each in one component',
    async (folder) => {
      const { parameters } = await estimateSource(folder, { length: 8 });
      const { parameters: stored } = await inspect(folder);
      expect(parameters.total).toBe(stored.total);
      expect(sum(parameters.components)).toBe(parameters.total);
    },
  );

  // The largest is GPT-3, of which every step is recorded as well.
  it('of every architecture are those that PyTorch counts, at other sizes', {
    timeout: 60_000,
  }, () => {
    expect(counted.length).toBeGreaterThan(80);
    for (const { config, parameters } of counted) {
      const { total } = estimate(config, { length: 8 }).parameters;
      expect(total, JSON.stringify(config)).toBe(parameters);
    }
  });

  it('that a token goes through are all but the experts that were not chosen', () => {
    const mixtral = counted.find(
      ({ config, parameters }) => config.model_type === 'mixtral' && parameters > 1e10,
    ) as Counted;
    const { parameters } = estimate(mixtral.config, { length: 8 });
    // 2 of 8 experts in 32 layers, three matrices [14336, 4096] each.
    expect(parameters.total - parameters.active).toBe(6 * 32 * 3 * 14336 * 4096);
    expect(parameters.components.experts).toBe(8 * 32 * 3 * 14336 * 4096);
    expect(parameters.active / 1e9).toBeCloseTo(12.9, 1); // as Jiang et al. 2024 say
  });

  it('of a GPT are 12·h² in the matrices of a layer, a third of them attention', () => {
    const [h, layers] = [96, 5];
    const config = { architectures: ['GPT2Model'], n_embd: h, n_layer: layers, n_head: 4 };
    const { components } = estimate({ ...config, vocab_size: 11, n_positions: 16 }).parameters;
    expect(components).toEqual({
      embedding: (11 + 16) * h,
      attention: layers * (4 * h * h + 4 * h),
      feedForward: layers * (8 * h * h + 5 * h),
      normalization: (2 * layers + 1) * 2 * h,
    });
  });
});
