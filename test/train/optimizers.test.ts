import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ReferenceBackend } from '../../lib/graph/reference_backend.js';
import { State } from '../../lib/graph/state.js';
import { input, stateTensor, tensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';
import { adafactor } from '../../lib/train/adafactor.js';
import { muon } from '../../lib/train/muon.js';
import type { Optimizer } from '../../lib/train/optimizers.js';
import { TrainingStep } from '../../lib/train/training_step.js';
import { nativeBackend } from '../native.js';

interface Case {
  shape: number[];
  learningRate: number;
  weightDecay: number;
  start: number[];
  gradients: number[][];
  after: number[][];
}

/** From torch.optim, by scripts/fixtures/optimizers.py. */
const cases: Record<string, Case> = JSON.parse(
  readFileSync(new URL('../fixtures/optimizers/expected.json', import.meta.url), 'utf8'),
);

function optimizerOf(name: string, weightDecay: number): Optimizer {
  if (name.startsWith('adafactor')) return adafactor({ weightDecay });
  return muon({ weightDecay, adjust: name.endsWith('rms') ? 'rms' : 'spectral' });
}

describe.each([['native'], ['reference']])("torch.optim's steps on the %s backend", (name) => {
  const backend = name === 'native' ? nativeBackend() : new ReferenceBackend();

  it.each(Object.entries(cases))('%s', async (which, golden) => {
    const { shape, learningRate, weightDecay, start, gradients, after } = golden;
    const data = Float32Array.from(start);
    const weight = new State('weight', shape, 'float32', { kind: 'data', data });
    const [rows, columns] =
      shape.length === 1 ? [1, shape[0] as number] : (shape as [number, number]);
    const slope = input('slope', [rows, columns], 'float32');
    const ones = (...dims: number[]) => tensor(new Float32Array(Math.max(...dims)).fill(1), dims);
    // A loss whose gradient is the slope.
    const products = ops.multiply(slope, stateTensor(weight));
    const loss = ops.matmul(ops.matmul(ones(1, rows), products), ones(columns, 1));
    using step = await TrainingStep.create({
      loss,
      groups: [{ parameters: [weight] }],
      optimizer: optimizerOf(which, weightDecay),
      backend,
    });
    for (const [t, gradient] of gradients.entries()) {
      await step.run({ learningRate, step: t + 1 }, { slope: Float32Array.from(gradient) });
      const found = await backend.read(weight);
      (after[t] as number[]).forEach((value, i) => {
        expect(found[i], `step ${t + 1}, element ${i}`).toBeCloseTo(value, 5);
      });
    }
    weight.dispose();
  });
});
