import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { roundToBfloat16 } from '../../lib/graph/half_precision.js';
import * as heddle from '../../lib/index.js';
import { encoderDecoderRun, modelRun } from '../../scripts/conformance/training_models.mjs';
import { nativeBackend } from '../native.js';

const backend = nativeBackend();
const fixtures = new URL('../fixtures/training', import.meta.url).pathname;

/** The losses of a run's steps, the model's products being computed in `dtype`. */
async function losses(name: string, dtype: 'float32' | 'bfloat16') {
  const folder = join(fixtures, name);
  const run = JSON.parse(await readFile(join(folder, 'run.json'), 'utf8'));
  const follow = name === 'llama' ? modelRun : encoderDecoderRun;
  const followed = await follow(heddle, folder, { ...run, dtype });
  const { betas, eps: epsilon, weight_decay: weightDecay } = run.adamw;
  using step = await heddle.TrainingStep.create({
    loss: followed.loss,
    groups: [{ parameters: followed.parameters, weightDecay }],
    optimizer: heddle.adamW({ betas, epsilon }),
    clipNorm: run.clip.max_norm,
    capacities: followed.capacities,
    backend,
  });
  const found: number[] = [];
  for (const [i, { feeds, sizes }] of followed.batches.entries()) {
    const at = { learningRate: run.trajectory[i].lr, step: i + 1 };
    found.push((await step.run(at, feeds, sizes)).loss);
  }
  followed.dispose();
  return { found, autocast: run.autocast as number[] };
}

describe('training in bfloat16', () => {
  it.each(['encdec', 'llama'])('%s follows torch.autocast', async (name) => {
    const { found, autocast } = await losses(name, 'bfloat16');
    // Before the first update only roundings differ; afterwards Adam magnifies what gradients are apart.
    expect(Math.abs(found[0] / autocast[0] - 1)).toBeLessThan(1e-3);
    found.forEach((loss, i) => {
      expect(Math.abs(loss / autocast[i] - 1), `step ${i + 1}`).toBeLessThan(1e-2);
    });
    const { found: exact } = await losses(name, 'float32');
    expect(found[0]).not.toBe(exact[0]);
  });

  it('learns as in float32, and keeps weights that bfloat16 does not have', async () => {
    const curve = async (dtype: 'float32' | 'bfloat16') => {
      const sizes = { n_embd: 16, n_layer: 1, n_head: 2, n_positions: 16, vocab_size: 12 };
      const fields = { architectures: ['GPT2LMHeadModel'], ...sizes };
      using model = heddle.freshTrainable(fields, 1);
      const data = Array.from({ length: 20 }, (_, i) => ({
        ids: Array.from({ length: 4 + (i % 5) }, (_, k) => (i + k) % 12),
      }));
      const found: number[] = [];
      await heddle.train(model, data, {
        task: 'language-model',
        steps: 40,
        batchTokens: 64,
        learningRate: 0.01,
        dtype,
        onStep: ({ loss }) => found.push(loss),
      });
      const [weight] = [...model.parameters];
      const kept = await backend.read(weight as heddle.State);
      return { found, kept: [...kept].some((value) => roundToBfloat16(value) !== value) };
    };
    const [exact, rounded] = [await curve('float32'), await curve('bfloat16')];
    expect(rounded.kept).toBe(true);
    expect(rounded.found).not.toEqual(exact.found);
    rounded.found.forEach((loss, i) => {
      expect(Math.abs(loss - exact.found[i]), `step ${i + 1}`).toBeLessThan(0.02);
    });
    expect(exact.found.at(-1)).toBeLessThan(exact.found[0] / 2);
  });
});
