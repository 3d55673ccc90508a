/** What an estimate says, against what the engine then takes. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { BackendPlan } from '../../lib/graph/backend.js';
import { costOf } from '../../lib/graph/cost.js';
import { defaultBackend } from '../../lib/graph/default_backend.js';
import { NativeBackend } from '../../lib/graph/native_backend.js';
import type { RunProfile } from '../../lib/graph/profile.js';
import type { Decoder } from '../../lib/models/decoder.js';
import { PagedEngine } from '../../lib/models/paged_engine.js';
import { estimate } from '../../lib/tasks/estimate.js';
import { estimateSource } from '../../lib/tasks/estimate_source.js';
import { load } from '../../lib/tasks/load.js';
import { freshTrainable, loadTrainable } from '../../lib/tasks/load_trainable.js';
import { train } from '../../lib/tasks/train.js';
import { adamW, sgd } from '../../lib/train/optimizers.js';
import { temporaryFolder } from '../tasks/tiny_model.js';

const models = 'test/fixtures/models';
const batch = 40;
const length = 8;
const inputIds = Array.from({ length: batch }, (_, i) =>
  Array.from({ length }, (_, k) => 1 + ((7 * i + 3 * k) % 40)),
);

/** The runs and plans that a body makes on the engine, and the bytes of states while each run is made. */
async function watched(body: () => Promise<void>) {
  const backend = defaultBackend() as NativeBackend;
  expect(backend).toBeInstanceOf(NativeBackend);
  const runs: RunProfile[] = [];
  const plans: BackendPlan[] = [];
  const compile = backend.compile.bind(backend);
  vi.spyOn(backend, 'compile').mockImplementation(async (...given) => {
    const plan = await compile(...given);
    plans.push(plan);
    return plan;
  });
  const states: number[] = [];
  backend.onProfile = (run) => {
    runs.push(run);
    states.push(stateBytes());
  };
  await body();
  const arenas = plans.map(({ arenaBytes }) => arenaBytes);
  const flops = runs.map(({ program, sizes, inputs }) => costOf(program, sizes, inputs).flops);
  const results = runs.map(({ program, sizes }) =>
    program.outputs.reduce((sum, { value }) => {
      const shape = program.values[value]?.shape ?? [];
      return sum + shape.reduce((n, dim) => n * (dim < 0 ? (sizes[-1 - dim] ?? 0) : dim), 4);
    }, 0),
  );
  return { arenas, flops, results, states };
}

const stateBytes = (): number => (defaultBackend() as NativeBackend).addon.counters().stateBytes;

afterEach(() => {
  (defaultBackend() as NativeBackend).onProfile = undefined;
  vi.restoreAllMocks();
});

const within = (found: number, expected: number, share: number): void => {
  expect(Math.abs(found / expected - 1), `${found} for ${expected}`).toBeLessThan(share);
};

describe('an estimate', () => {
  it.each(['bert/b', 'modernbert/mlm', 'deberta-v2/cls', 'llama/1', 'qwen3_moe/2'])(
    'of %s has the FLOPs and the arena of its forward pass',
    async (name) => {
      const folder = `${models}/${name}`;
      const { flops, memory } = await estimateSource(folder, { batch, length });
      using model = await load(folder);
      const {
        arenas,
        flops: counted,
        results,
      } = await watched(async () => {
        await model.forward({ inputIds });
      });
      expect(counted).toEqual([flops.forward]);
      if (model.kind === 'encoder') {
        expect(memory.inference.activations).toBe((arenas[0] ?? 0) + (results[0] ?? 0));
      }
    },
  );

  it.each(['llama/1', 'gpt2/1', 'gemma3_text/1'])(
    'of %s has the arena of the run over its prompts',
    async (name) => {
      const folder = `${models}/${name}`;
      // A tiny model's cache has room for 16 texts.
      const texts = inputIds.slice(0, 16);
      const workload = { batch: texts.length, length, dtype: 'float32' } as const;
      const { memory } = await estimateSource(folder, workload);
      using model = await loadTrainable(folder);
      const { arenas, results } = await watched(async () => {
        const engine = new PagedEngine(model.network as Decoder, defaultBackend());
        const items = texts.map((ids) => ({ sequence: engine.begin(), ids }));
        await engine.step(items);
        engine.dispose();
      });
      expect(memory.inference.activations).toBe((arenas[0] ?? 0) + (results[0] ?? 0));
    },
  );

  it('has the bytes of weights, also of a table that is read and multiplied', async () => {
    const fields = {
      architectures: ['BertForMaskedLM'],
      // Whole panels of every instruction set.
      vocab_size: 768,
      hidden_size: 192,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      intermediate_size: 384,
      max_position_embeddings: 64,
    };
    const folder = await temporaryFolder();
    using fresh = freshTrainable(fields, 1);
    await fresh.save(folder);
    const { memory } = await estimateSource(folder, { batch, length });
    const before = stateBytes();
    using model = await load(folder);
    await model.forward({ inputIds });
    within(memory.inference.weights, stateBytes() - before, 0.01);
  });

  it.each(['adamW', 'sgd', 'momentum'] as const)(
    'of training by %s has the bytes of weights and of the optimiser',
    async (name) => {
      const fields = {
        architectures: ['GPT2LMHeadModel'],
        n_embd: 128,
        n_layer: 2,
        n_head: 4,
        n_positions: 16,
        vocab_size: 640,
      };
      const { memory } = estimate(fields, { batch: 4, length, optimizer: name });
      const { weights, optimizer } = memory.trainingHere;
      const before = stateBytes();
      using model = freshTrainable(fields, 1);
      const examples = inputIds.slice(0, 4).map((ids) => ({ ids: [...ids, 1] }));
      const { states } = await watched(async () => {
        await train(model, examples, {
          task: 'language-model',
          steps: 1,
          batchTokens: 4 * length,
          // Nor does an evaluation keep packed copies.
          evaluation: examples,
          evaluateEvery: 1,
          optimizer: { adamW: adamW(), sgd: sgd(), momentum: sgd({ momentum: 0.9 }) }[name],
        });
      });
      within(weights + optimizer, Math.max(...states) - before, 0.01);
    },
  );

  it('of training has the FLOPs and the arena of a step', async () => {
    const fields = {
      architectures: ['GPT2LMHeadModel'],
      n_embd: 32,
      n_layer: 3,
      n_head: 4,
      n_positions: 16,
      vocab_size: 50,
    };
    const { flops, memory } = estimate(fields, { batch: 4, length });
    using model = freshTrainable(fields, 1);
    const examples = inputIds.slice(0, 4).map((ids) => ({ ids: [...ids, 1] }));
    const { arenas, flops: counted } = await watched(async () => {
      const options = { task: 'language-model', steps: 1, batchTokens: 4 * length } as const;
      await train(model, examples, options);
    });
    expect(counted[0]).toBe(flops.step);
    expect(flops.forward + flops.backward + flops.optimizer).toBe(flops.step);
    within(memory.trainingHere.arena, arenas[0] ?? 0, 0.1);
  });
});
