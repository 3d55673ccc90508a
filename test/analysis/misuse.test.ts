import { describe, expect, it } from 'vitest';
import type { Workload } from '../../lib/analysis/workload.js';
import { estimate } from '../../lib/tasks/estimate.js';
import { plainConfig } from '../../lib/tasks/estimate_source.js';

const fields = plainConfig({ layers: 2, hidden: 24, heads: 4, vocabulary: 50, positions: 64 });
const sizes = { layers: 2, hidden: 24, heads: 4, vocabulary: 50 };
const llama = plainConfig({ ...sizes, keyHeads: 2 });

describe('estimate refuses', () => {
  it.each([
    [{ ...fields, n_embd: undefined }, 'ERR_CONFIG', /n_embd.*integer.*nothing/],
    [{ ...fields, n_layer: -1 }, 'ERR_CONFIG', /n_layer.*-1/],
    [{ ...fields, n_layer: Number.NaN }, 'ERR_CONFIG', /n_layer.*null/],
    [{ ...fields, n_head: 5 }, 'ERR_CONFIG', /heads.*divisor.*24.*5/],
    [{ ...llama, num_attention_heads: 5, num_key_value_heads: 5 }, 'ERR_CONFIG', /heads.*24.*5/],
    [{ ...llama, num_key_value_heads: 3 }, 'ERR_CONFIG', /num_key_value_heads.*3 for 4/],
    [{ ...fields, n_layer: 2 ** 31 - 1 }, 'ERR_CONFIG', /n_layer.*at most 10000/],
    [{ architectures: ['Nothing'] }, 'ERR_UNSUPPORTED', /architectures.*Nothing/],
    [{ ...llama, num_hidden_layers: 20_000 }, 'ERR_CONFIG', /num_hidden_layers.*at most 10000/],
    [{ ...llama, rms_norm_eps: 1e300 }, 'ERR_CONFIG', /rms_norm_eps.*1e\+300/],
    [{}, 'ERR_UNSUPPORTED', /architectures/],
    [[], 'ERR_ARGUMENT', /config.*array/],
    [null, 'ERR_ARGUMENT', /config.*null/],
  ])('the config %j', (config, code, message) => {
    const call = () => estimate(config as never, { length: 8 });
    expect(call).toThrow(message);
    expect(call).toThrow(expect.objectContaining({ name: 'HeddleError', code }));
  });

  it('a config of what JSON cannot hold', () => {
    const call = () => estimate({ ...fields, n_embd: 24n });
    expect(call).toThrow(expect.objectContaining({ name: 'HeddleError', code: 'ERR_CONFIG' }));
  });

  it.each([
    [{ batch: 0 }, /batch.*0/],
    [{ batch: Number.NaN }, /batch.*NaN/],
    [{ batch: 2 ** 21 }, /batch.*at most/],
    [{ length: -4 }, /length.*-4/],
    [{ length: 65 }, /length.*at most 64.*65/],
    [{ dtype: 'float8' }, /dtype.*float32.*float8/],
    [{ tokens: Infinity }, /tokens.*Infinity/],
    [{ tokens: -1 }, /tokens.*-1/],
    [{ optimizer: 'toString' }, /optimizer.*adamW.*toString/],
    [{ recompute: 'some' }, /recompute.*selective.*some/],
    [{ zero: 4 }, /zero.*0 to 3.*4/],
    [{ devices: 6, tensorParallel: 4 }, /devices.*multiple of the 4.*6/],
    [{ tokens: 1e19 }, /tokens.*at most 1000000000000000000/],
    [{ pipelineParallel: 3 }, /pipelineParallel.*at most 2.*3/],
    [{ pipelineParallel: 2, interleave: 2 }, /interleave.*at most 2 in all.*2/],
    [{ interleave: 2 }, /interleave.*pipelineParallel.*2/],
    [{ tensorParallel: 3 }, /tensorParallel.*divisor of 4.*3/],
    [{ utilization: 1.5 }, /utilization.*to 1.*1\.5/],
    [{ utilization: 1e-300 }, /utilization.*from 0\.000001.*1e-300/],
    [{ machine: { gflops: 1 } }, /gbps.*undefined/],
    [{ machine: { gflops: 1e13, gbps: 1 } }, /gflops.*to 1000000000000.*10000000000000/],
    [{ machine: { gflops: 1, gbps: 1e-300 } }, /gbps.*1e-300/],
    [{ price: 0 }, /price.*0/],
    [{ price: 1e10, machine: { gflops: 1, gbps: 1 } }, /price.*at most 1000000000/],
    [{ price: 2 }, /price.*--machine.*none/],
    [{ layers: 3 }, /only the options.*layers/],
  ])('the workload %j', (workload, message) => {
    const call = () => estimate(fields, workload as Workload);
    expect(call).toThrow(message);
    expect(call).toThrow(expect.objectContaining({ name: 'HeddleError', code: 'ERR_ARGUMENT' }));
  });
});

it('estimate refuses tensor parallelism that does not divide the heads of keys', () => {
  const call = () => estimate(llama, { tensorParallel: 4 });
  expect(call).toThrow(/tensorParallel.*divisor of 2, the heads of keys.*4/);
  expect(call).toThrow(expect.objectContaining({ name: 'HeddleError', code: 'ERR_ARGUMENT' }));
});

describe('estimate', () => {
  const base = { batch: 4, length: 32, dtype: 'bfloat16' } as const;

  it('divides what a device holds as the parallelism says', () => {
    const one = estimate(fields, base).memory.training;
    const many = estimate(fields, {
      ...base,
      tensorParallel: 2,
      pipelineParallel: 2,
      devices: 16,
      zero: 2,
    }).memory.training;
    expect(many.weights).toBe(Math.ceil(one.weights / 4));
    expect(many.gradients).toBe(Math.ceil(one.gradients / 16));
    expect(many.optimizer).toBe(Math.ceil(one.optimizer / 16));
    expect(Object.values(many.activationsBy).every(Number.isInteger)).toBe(true);
    expect(many.activations).toBeLessThan(one.activations);
  });

  it('keeps fewer activations the more is computed again', () => {
    const { activationsBy: by } = estimate(fields, base).memory.training;
    expect(by.none).toBeGreaterThan(by.selective);
    expect(by.selective).toBeGreaterThan(by.full);
    const all = estimate(fields, { ...base, recompute: 'none' });
    const again = estimate(fields, { ...base, recompute: 'full' });
    expect(again.memory.training.activations).toBe(by.full);
    expect(again.flops.forward).toBe(all.flops.forward);
    expect(again.flops.backward).toBeGreaterThan(all.flops.backward);
    expect(again.memory.trainingHere.arena).toBeLessThan(all.memory.trainingHere.arena);
  });

  it('has terms that add up to each pass, of which none is negative', () => {
    const { forward, backward, terms } = estimate(fields, base).flops;
    for (const [whole, parts] of [
      [forward, terms.forward],
      [backward, terms.backward],
    ] as const) {
      const each = Object.values(parts);
      expect(each.reduce((sum, part) => sum + part, 0)).toBe(whole);
      expect(Math.min(...each)).toBeGreaterThanOrEqual(0);
    }
  });

  it('counts what each optimiser keeps', () => {
    const kept = (optimizer: Workload['optimizer']): number => {
      const { memory, parameters } = estimate(fields, { length: 8, optimizer });
      return memory.trainingHere.optimizer / (4 * parameters.total);
    };
    expect([kept('adamW'), kept('lion'), kept('momentum'), kept('sgd')]).toEqual([2, 1, 1, 0]);
    expect(kept('adafactor')).toBeLessThan(0.5);
  });

  it('says how long and how dear training is on a machine', () => {
    const machine = { gflops: 1000, gbps: 100 };
    const { training, roofline, parameters } = estimate(fields, {
      length: 8,
      tokens: 1e9,
      machine,
      devices: 4,
      utilization: 0.5,
      price: 2,
    });
    const seconds = (6 * parameters.total * 1e9) / (4 * 1e12 * 0.5);
    expect(training.seconds).toBeCloseTo(seconds, 9);
    expect(training.cost).toBeCloseTo((4 * seconds * 2) / 3600, 9);
    // A token reads all weights, and does two FLOPs with each of most.
    expect(roofline.decode?.intensity).toBeLessThan(1);
    expect(roofline.forward.intensity).toBeGreaterThan(roofline.decode?.intensity ?? 0);
    const least = estimate(fields, { length: 8, machine }).flops.forward / 1e12;
    expect(roofline.forward.seconds).toBeGreaterThan(least);
  });
});
