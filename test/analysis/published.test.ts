/** The worked figures of the papers that the formulas are from. */
import { describe, expect, it } from 'vitest';
import {
  gptStepFlops,
  lossFit,
  optimalTokens,
  predictedLoss,
  trainingFlops,
  trainingSeconds,
} from '../../lib/analysis/scaling_laws.js';
import { activationMemory, modelStates, stateBytes } from '../../lib/analysis/training_memory.js';
import { estimate } from '../../lib/tasks/estimate.js';
import { plainConfig } from '../../lib/tasks/estimate_source.js';

/** Korthikanti et al. 2022, table 3, and the times and utilisations of table 5. */
const configurations = [
  {
    name: '22B',
    heads: 64,
    hidden: 6144,
    layers: 48,
    devices: 8,
    batch: 4,
    seconds: 1.1,
    model: 41.5,
  },
  {
    name: '175B',
    heads: 96,
    hidden: 12288,
    layers: 96,
    devices: 64,
    batch: 64,
    seconds: 13.75,
    model: 51.4,
  },
  {
    name: '530B',
    heads: 128,
    hidden: 20480,
    layers: 105,
    devices: 280,
    batch: 280,
    seconds: 37.83,
    model: 56,
  },
  {
    name: '1T',
    heads: 160,
    hidden: 25600,
    layers: 128,
    devices: 512,
    batch: 512,
    seconds: 71.49,
    model: 56.3,
  },
] as const;
const length = 2048;
const vocabulary = 51200;
const plain = { tensor: 1, pipeline: 1, interleave: 1, sequence: false };

/** One layer of a GPT, without what stands around the layers. */
function layer({ heads, hidden }: { heads: number; hidden: number }) {
  const sizes = { batch: 1, length, hidden, layers: 1, sublayers: 2, heads, bytes: 2 };
  return { ...sizes, matrices: 12 * hidden ** 2, vocabulary: 0 };
}

/** In units of s·b·h; dropout of the embeddings, 1, is left out. */
const perLayer = (
  of: { heads: number; hidden: number },
  parallel: typeof plain,
  recompute: 'none' | 'selective' | 'full',
): number =>
  activationMemory(layer(of), parallel, recompute) / (length * of.hidden) -
  1 / (parallel.sequence ? parallel.tensor : 1);

describe('Korthikanti et al. 2022', () => {
  it.each(configurations)('table 2, activations of a layer: $name', (of) => {
    const scores = (5 * of.heads * length) / of.hidden;
    const t = 8;
    const split = { tensor: t, pipeline: 1, interleave: 1, sequence: false };
    const spread = { ...split, sequence: true };
    expect(perLayer(of, plain, 'none')).toBeCloseTo(34 + scores, 9);
    expect(perLayer(of, split, 'none')).toBeCloseTo(10 + 24 / t + scores / t, 9);
    expect(perLayer(of, spread, 'none')).toBeCloseTo((34 + scores) / t, 9);
    expect(perLayer(of, split, 'selective')).toBeCloseTo(10 + 24 / t, 9);
    expect(perLayer(of, spread, 'selective')).toBeCloseTo(34 / t, 9);
    expect(perLayer(of, split, 'full')).toBeCloseTo(2, 9);
    // The table has no such row; the inputs of layers are divided by position there (section 4.2.2).
    expect(perLayer(of, spread, 'full')).toBeCloseTo(2 / t, 9);
  });

  it('section 4.2.3: the interleaved schedule keeps 1 + (p − 1)/(p·m) times the activations of the layers', () => {
    const [, of] = configurations;
    const stages = { tensor: 8, pipeline: 8, interleave: 1, sequence: true };
    const around = (8 * length * of.hidden) / 8;
    const kept = (interleave: number): number =>
      activationMemory(layer(of), { ...stages, interleave }, 'selective') - around;
    expect(kept(3) / kept(1)).toBeCloseTo(1 + 7 / 24, 9);
    expect(kept(2) / kept(1)).toBeCloseTo(1 + 7 / 16, 9);
  });

  it("table 2, from a GPT's own graph: 34 and 5·a·s/h for each layer more", () => {
    const [heads, hidden] = [4, 64];
    const activations = (layers: number) => {
      const config = plainConfig({ layers, hidden, heads, vocabulary: 100, positions: 256 });
      const workload = { batch: 2, length: 256, dtype: 'bfloat16' } as const;
      return estimate(config, workload).memory.training.activationsBy;
    };
    const [one, two] = [activations(1), activations(2)];
    const unit = 2 * 256 * hidden;
    expect((two.selective - one.selective) / unit).toBeCloseTo(34, 9);
    expect((two.none - one.none) / unit).toBeCloseTo(34 + (5 * heads * 256) / hidden, 9);
    expect((two.full - one.full) / unit).toBeCloseTo(2, 9);
  });

  it('section 5: selective recomputation saves 70 % of GPT-3 and 65 % of MT-NLG, for 2.7 % and 1.6 % more FLOPs', () => {
    const [, gpt3, mtNlg] = configurations;
    for (const [of, saved, more] of [
      [gpt3, 70, 2.7],
      [mtNlg, 65, 1.6],
    ] as const) {
      const share = 1 - perLayer(of, plain, 'selective') / perLayer(of, plain, 'none');
      expect(Math.round(100 * share)).toBe(saved);
      const sizes = { ...of, length, vocabulary };
      const extra = gptStepFlops(sizes, { hardware: true }) / gptStepFlops(sizes) - 1;
      expect(Math.abs(100 * extra - more)).toBeLessThan(0.1);
    }
  });

  it('figure 7: sequence parallelism and selective recomputation together need under 20 % of tensor parallelism alone', () => {
    const split = { tensor: 8, pipeline: 1, interleave: 1, sequence: false };
    for (const of of configurations) {
      const all = perLayer(of, split, 'none');
      const both = perLayer(of, { ...split, sequence: true }, 'selective');
      expect(both / all).toBeLessThan(0.21);
      expect(perLayer(of, split, 'full') / all).toBeCloseTo(0.1, 1);
    }
  });

  it.each(configurations)('table 5, utilisation of A100s: $name', (of) => {
    const flops = gptStepFlops({ ...of, length, vocabulary });
    const utilization = trainingSeconds(flops, of.devices * 312e12) / of.seconds;
    // The published times have three digits.
    expect(Math.abs(100 * utilization - of.model)).toBeLessThan(0.3);
  });

  it('the graph of a GPT needs those FLOPs, but for pairs of tokens that are not seen', () => {
    const { heads, hidden, layers } = configurations[0];
    const config = plainConfig({ layers: 2, hidden, heads, vocabulary });
    const { terms } = estimate(config, { length, optimizer: 'sgd' }).flops;
    const { attention = 0, feedForward = 0, head = 0 } = terms.forward;
    const published = gptStepFlops({ batch: 1, length, hidden, layers: 2, vocabulary });
    const products = published / (1 + length / (6 * hidden) + vocabulary / (24 * hidden));
    expect(layers).toBeGreaterThan(2);
    expect(3 * (attention + feedForward)).toBe(products);
    expect(3 * head).toBeCloseTo((products * vocabulary) / (24 * hidden), -6);
  });
});

describe('Transformer Math 101', () => {
  it('6PD: GPT-3 on 300 billion tokens takes 3.15·10²³ FLOPs', () => {
    expect(trainingFlops(175e9, 300e9)).toBeCloseTo(3.15e23, -21);
  });

  it('states of mixed precision: AdamW 12 bytes, momentum 8, beside 2 and 2', () => {
    const { parameter, gradient, copy, moment } = stateBytes(true);
    expect([parameter, gradient, copy + 2 * moment, copy + moment]).toEqual([2, 2, 12, 8]);
  });

  it('GPT-NeoX-20B: its parameters, 6PD, and activations on the devices that it was trained on', () => {
    const [hidden, layers, heads, batch] = [6144, 44, 64, 4];
    const config = {
      architectures: ['GPTNeoXForCausalLM'],
      hidden_size: hidden,
      num_hidden_layers: layers,
      num_attention_heads: heads,
      intermediate_size: 4 * hidden,
      vocab_size: 50432,
      max_position_embeddings: length,
      rotary_pct: 0.25,
      tie_word_embeddings: false,
    };
    const [t, p] = [2, 4];
    const found = estimate(config, {
      batch,
      length,
      dtype: 'float16',
      optimizer: 'adam',
      tokens: 473e9,
      tensorParallel: t,
      pipelineParallel: p,
      devices: 96,
      zero: 1,
    });
    const { total } = found.parameters;
    // The model card says 20,556,201,984. That counts twice what both devices of a tensor-parallel pair hold: the norms, and
    // the biases of the two products whose results are summed.
    expect(total + (t - 1) * hidden * (6 * layers + 2)).toBe(20_556_201_984);
    expect(found.training.flops).toBe(6 * total * 473e9);

    const { weights, gradients, optimizer, activationsBy } = found.memory.training;
    expect([weights, gradients].map((bytes) => bytes * t * p)).toEqual([2 * total, 2 * total]);
    expect(optimizer * 96).toBe(12 * total);
    const rows = length * batch * hidden;
    const embedding = rows * p;
    const scores = (5 * heads * length) / (hidden * t);
    expect(activationsBy.none - embedding).toBeCloseTo(rows * layers * (10 + 24 / t + scores), 2);
    expect(activationsBy.selective - embedding).toBe(rows * layers * (10 + 24 / t));
    expect(activationsBy.full - embedding).toBe(rows * layers * 2);
  });

  it('ZeRO divides the states of 20 billion parameters on 8 devices stage by stage', () => {
    const of = { parameters: 20e9, moments: 40e9, isMixed: true };
    const total = (zero: 0 | 1 | 2 | 3): number => {
      const states = modelStates(of, { tensor: 1, pipeline: 1, replicas: 8, zero });
      return (states.weights + states.gradients + states.optimizer) / 1e9;
    };
    // Rajbhandari et al. 2020, figure 1, with Ψ = 20 billion, K = 12 and N = 8.
    expect(total(0)).toBeCloseTo(20 * 16);
    expect(total(1)).toBeCloseTo(20 * (4 + 12 / 8));
    expect(total(2)).toBeCloseTo(20 * (2 + 14 / 8));
    expect(total(3)).toBeCloseTo((20 * 16) / 8);
  });

  it("ZeRO's figure 1: 7.5 billion parameters on 64 devices take 120, 31.4, 16.6 and 1.9 GB", () => {
    const of = { parameters: 7.5e9, moments: 15e9, isMixed: true };
    const totals = ([0, 1, 2, 3] as const).map((zero) => {
      const states = modelStates(of, { tensor: 1, pipeline: 1, replicas: 64, zero });
      return (states.weights + states.gradients + states.optimizer) / 1e9;
    });
    const published = [120, 31.4, 16.6, 1.9];
    totals.forEach((found, i) => {
      expect(Math.abs(found - (published[i] ?? 0))).toBeLessThan(0.05);
    });
  });
});

describe('Hoffmann et al. 2022', () => {
  it('approach 1: the 70 billion parameters of Chinchilla want 1.4 trillion tokens', () => {
    expect(optimalTokens(70e9).tokens / 1e12).toBeCloseTo(1.4, 1);
  });

  // Parameters, FLOPs and tokens of table 3.
  it.each([
    [400e6, 1.92e19, 8e9],
    [1e9, 1.21e20, 20.2e9],
    [10e9, 1.23e22, 205.1e9],
    [175e9, 3.85e24, 3.7e12],
    [280e9, 9.9e24, 5.9e12],
    [520e9, 3.43e25, 11e12],
    [1e12, 1.27e26, 21.2e12],
    [10e12, 1.3e28, 216.2e12],
  ])('table 3: %d parameters', (parameters, flops, tokens) => {
    const found = optimalTokens(parameters, 1);
    expect(Math.abs(found.tokens / tokens - 1)).toBeLessThan(0.07);
    expect(Math.abs(found.flops / flops - 1)).toBeLessThan(0.07);
  });

  it('approach 3 minimises the fitted loss for its FLOPs', () => {
    const { parameters, tokens } = optimalTokens(10e9, 3);
    const best = predictedLoss(parameters, tokens);
    for (const factor of [0.5, 0.9, 1.1, 2]) {
      expect(predictedLoss(parameters * factor, tokens / factor)).toBeGreaterThan(best);
    }
    expect(best).toBeGreaterThan(lossFit.e);
  });
});
