import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defaultBackend } from '../../lib/graph/default_backend.js';
import { load } from '../../lib/tasks/load.js';
import { freshTrainable, loadTrainable } from '../../lib/tasks/load_trainable.js';
import { train } from '../../lib/tasks/train.js';
import {
  freshTransformer,
  loadTransformer,
  type TrainableTransformer,
} from '../../lib/tasks/trainable_transformer.js';
import { adamW, lion } from '../../lib/train/optimizers.js';
import { cosine } from '../../lib/train/schedules.js';
import { temporaryFolder } from './tiny_model.js';

const gpt2 = {
  architectures: ['GPT2LMHeadModel'],
  n_embd: 16,
  n_layer: 1,
  n_head: 2,
  n_positions: 16,
  vocab_size: 12,
};
const bert = {
  hidden_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 32,
  vocab_size: 12,
  max_position_embeddings: 16,
};
const backend = defaultBackend();
const counting = Array.from({ length: 20 }, (_, i) => ({
  ids: Array.from({ length: 4 + (i % 5) }, (_, k) => (i + k) % 12),
}));

async function weightsOf(model: { parameters: Iterable<never> }): Promise<number[]> {
  const all: number[] = [];
  for (const state of model.parameters) all.push(...(await backend.read(state)));
  return all;
}

const run = {
  task: 'language-model',
  steps: 8,
  batchTokens: 32,
  learningRate: cosine({ peak: 1e-2, steps: 8, warmup: 2 }),
  average: 0.9,
  evaluation: counting.slice(0, 5),
  evaluateEvery: 4,
  seed: 5,
} as const;

describe('train', () => {
  it('goes on from a checkpoint as if it had never stopped', async () => {
    using whole = freshTrainable(gpt2, 1);
    const wholeLosses: number[] = [];
    const folder = await temporaryFolder();
    const others = await temporaryFolder();
    await train(whole, counting, {
      ...run,
      folder,
      keepBest: 0,
      dropout: 0.2,
      onStep: ({ loss }) => wholeLosses.push(loss),
    });

    using before = freshTrainable(gpt2, 1);
    const losses: number[] = [];
    const stop = new AbortController();
    const stopped = train(before, counting, {
      ...run,
      folder: others,
      keepBest: 0,
      dropout: 0.2,
      signal: stop.signal,
      onStep({ step, loss }) {
        losses.push(loss);
        if (step === 3) stop.abort(new Error('enough'));
      },
    });
    await expect(stopped).rejects.toThrow('enough');
    using after = freshTrainable(gpt2, 2); // other weights: they come from the checkpoint
    const starts: number[] = [];
    const result = await train(after, counting, {
      ...run,
      folder: others,
      keepBest: 0,
      dropout: 0.2,
      resume: true,
      onStart: ({ step }) => starts.push(step),
      onStep: ({ loss }) => losses.push(loss),
    });
    expect(starts).toEqual([3]);
    expect(losses).toEqual(wholeLosses);
    expect(result.step).toBe(8);
    expect(await weightsOf(after as never)).toEqual(await weightsOf(whole as never));
    const saved = (path: string) => readFile(join(path, 'model', 'model.safetensors'));
    expect((await saved(others)).equals(await saved(folder))).toBe(true);
  });

  it('drops while it learns, other elements in each step, and not while it is judged', async () => {
    const losses = async (dropout: number) => {
      using model = freshTrainable(gpt2, 1);
      const [steps, judged]: [number[], number[]] = [[], []];
      await train(model, counting.slice(0, 4), {
        ...run,
        steps: 2,
        learningRate: 0,
        dropout,
        onStep: ({ loss }) => steps.push(loss),
        onEvaluation: ({ loss }) => judged.push(loss),
      });
      return { steps, judged };
    };
    const [plain, dropped] = [await losses(0), await losses(0.5)];
    expect(plain.steps[0]).toBe(plain.steps[1]);
    expect(new Set([...dropped.steps, plain.steps[0]]).size).toBe(3);
    expect(dropped.judged).toEqual(plain.judged);
  });

  it('saves what load opens, with the logits of the weights that were trained', async () => {
    using model = freshTrainable(gpt2, 1);
    const folder = await temporaryFolder();
    const first: number[] = [];
    const { average: _, evaluation: __, ...plain } = run;
    const result = await train(model, counting, {
      ...plain,
      folder,
      steps: 30,
      learningRate: 0.02,
      onStep: ({ loss }) => first.push(loss),
    });
    expect(first.at(-1)).toBeLessThan((first[0] as number) / 2);
    using loaded = await load(result.folder as string);
    expect(loaded.unusedTensors).toEqual([]);
    const { ids } = (
      await loaded.generate({ inputIds: [3, 4, 5] }, { maxNewTokens: 3, temperature: 0 })
    )[0] as { ids: readonly number[] };
    expect(ids).toEqual([6, 7, 8]);
  });

  it('keeps the newest checkpoints and the best', async () => {
    using model = freshTrainable(gpt2, 1);
    const folder = await temporaryFolder();
    await train(model, counting, {
      ...run,
      folder,
      steps: 8,
      evaluateEvery: 2,
      keepNewest: 2,
      learningRate: 0,
    });
    const names = await readdir(join(folder, 'checkpoints'));
    // Without learning all are alike, and the first of them is the best.
    expect(names.sort()).toEqual(['step-00000002', 'step-00000006', 'step-00000008']);
  });

  it('judges what it saves on the test', async () => {
    using model = freshTrainable(gpt2, 1);
    const [evaluation, test] = [counting.slice(0, 5), counting.slice(5, 12)];
    const judged: { step: number; loss: number }[] = [];
    const options = {
      ...run,
      evaluation,
      evaluateEvery: 1,
      steps: 6,
      average: 0.5,
      // From the fourth step on so great that the last weights are not the best.
      learningRate: (step: number) => (step < 4 ? 0.02 : 2),
      exactMatch: true,
    };
    const result = await train(model, counting, {
      ...options,
      test,
      folder: await temporaryFolder(),
      onEvaluation: (metrics) => judged.push(metrics),
    });
    const best = judged.reduce((a, b) => (b.loss < a.loss ? b : a));
    expect(best.step).toBeLessThan(6);
    // The saved weights by themselves: a step that learns nothing, judged on either.
    const losses: number[] = [];
    for (const data of [evaluation, test]) {
      using saved = await loadTrainable(result.folder as string);
      const still = { ...options, average: undefined, steps: 1, learningRate: 0, evaluation: data };
      await train(saved, counting, { ...still, onEvaluation: ({ loss }) => losses.push(loss) });
    }
    expect(losses[0]).toBeCloseTo(best.loss, 6);
    expect(result.test?.loss).toBeCloseTo(losses[1] as number, 6);
    expect(result.test?.accuracy).toBeGreaterThanOrEqual(0);
  });

  it('ends where the evaluation no longer gets better', async () => {
    using model = freshTrainable(gpt2, 1);
    const options = {
      ...run,
      average: 0,
      steps: 50,
      evaluateEvery: 1,
      patience: 3,
      learningRate: 0,
    };
    expect((await train(model, counting, options)).step).toBe(4);
  });

  it.each([
    [
      'masked-language-model',
      { architectures: ['BertForMaskedLM'] },
      counting,
      { masking: { maskId: 11, rate: 0.3 } },
    ],
    [
      'classification',
      { architectures: ['BertForSequenceClassification'], num_labels: 3 },
      counting.map(({ ids }) => ({ ids, label: (ids[0] as number) % 3 })),
      {},
    ],
    [
      'contrastive',
      { architectures: ['BertModel'] },
      counting
        .slice(0, 12)
        .map(({ ids: [first = 0] }) => ({ first: [first], second: [first, first] })),
      { batchExamples: 4 },
    ],
  ])('learns %s', async (task, head, data, more) => {
    using model = freshTrainable({ ...bert, ...head }, 1);
    const losses: number[] = [];
    await train(model, data as never, {
      ...more,
      task: task as never,
      steps: 100,
      batchTokens: 128,
      learningRate: 1e-2,
      evaluation: data as never,
      onStep: ({ loss }) => losses.push(loss),
    });
    const last = losses.slice(-10).reduce((sum, loss) => sum + loss / 10, 0);
    expect(last).toBeLessThan(0.8 * (losses[0] as number));
  });

  it('learns to write backwards, and saves an encoder–decoder', async () => {
    const marian = {
      vocab_size: 12,
      d_model: 16,
      encoder_layers: 1,
      decoder_layers: 1,
      encoder_attention_heads: 2,
      encoder_ffn_dim: 32,
      max_position_embeddings: 16,
      decoder_start_token_id: 0,
    };
    using model = freshTransformer(marian, 1);
    const pairs = counting.map(({ ids }) => ({ source: ids, target: [...ids].reverse() }));
    const losses: number[] = [];
    await train(model, pairs, {
      task: 'sequence-to-sequence',
      steps: 40,
      batchTokens: 200,
      learningRate: 1e-2,
      smoothing: 0,
      onStep: ({ loss }) => losses.push(loss),
    });
    expect(losses.at(-1)).toBeLessThan(0.6 * (losses[0] as number));
    const folder = await temporaryFolder();
    await model.save(folder);
    using again: TrainableTransformer = await loadTransformer(folder);
    expect(await weightsOf(again as never)).toEqual(await weightsOf(model as never));
  });
});

describe('what training refuses', () => {
  const refused = async (more: object, data: readonly object[] = counting) => {
    using model = freshTrainable(gpt2, 1);
    return await train(model, data as never, { ...run, ...more } as never).then(
      () => 'nothing',
      ({ code, message }) => `${code} ${message}`,
    );
  };

  it.each<[string, object, readonly object[] | undefined, RegExp]>([
    ['an unknown option', { stepz: 1 }, undefined, /ERR_ARGUMENT.*stepz/],
    [
      'an id beyond the vocabulary',
      {},
      [{ ids: [1, 2] }, { ids: [1, 12] }],
      /ERR_INPUT.*example 2.*12/,
    ],
    [
      'a text longer than the context',
      {},
      [{ ids: new Array(20).fill(1) }],
      /ERR_INPUT.*example 1.*17/,
    ],
    ['no data', {}, [], /ERR_INPUT.*at least 1/],
    ['no test', { test: [] }, undefined, /ERR_INPUT.*test data/],
    ['a test of other ids', { test: [{ ids: [1, 12] }] }, undefined, /ERR_INPUT.*test data.*12/],
    ['another task', { task: 'classification' }, undefined, /ERR_UNSUPPORTED.*classif/],
    ['to resume nowhere', { resume: true }, undefined, /ERR_ARGUMENT.*resume/],
    [
      'a rate that diverges',
      { learningRate: 1e38, clipNorm: 1e30, average: undefined, steps: 20 },
      undefined,
      /ERR_DIVERGED.*step \d+/,
    ],
  ])('%s', async (_, more, data, message) => {
    expect(await refused(more, data)).toMatch(message);
  });

  it('a folder that has a run, and one of another architecture', async () => {
    const folder = await temporaryFolder();
    expect(await refused({ folder })).toBe('nothing');
    expect(await refused({ folder })).toMatch(/ERR_ARGUMENT.*resume it/);
    using other = freshTrainable({ ...gpt2, n_embd: 20 }, 1);
    await expect(train(other, counting, { ...run, folder, resume: true })).rejects.toMatchObject({
      code: 'ERR_SHAPE',
      message: expect.stringMatching(/wte\.weight/),
    });
    const seeded = refused({ folder, resume: true, seed: 6 });
    expect(await seeded).toMatch(/ERR_CONFIG.*seed/);
    const optimized = (optimizer: object) => refused({ folder, resume: true, optimizer });
    expect(await optimized(adamW({ betas: [0.9, 0.99] }))).toMatch(
      /ERR_CONFIG.*optimizer\.betas: expected \[0\.9,0\.99\].*found \[0\.9,0\.999\]/,
    );
    expect(await optimized(lion())).toMatch(/ERR_CONFIG.*optimizer\.name/);
    for (const [name, value] of Object.entries({
      dropout: 0.1,
      smoothing: 0.1,
      batchExamples: 2,
      groups: [{ match: 'wte', weightDecay: 0 }],
    })) {
      expect(await refused({ folder, resume: true, [name]: value })).toMatch(
        new RegExp(`ERR_CONFIG.*step-00000008: ${name}: expected.*found`),
      );
    }
    expect(await refused({ folder, resume: true, smoothing: 0, groups: [] })).toBe('nothing');
  });

  it('what is left of a killed run does not matter', async () => {
    const folder = await temporaryFolder();
    expect(await refused({ folder })).toBe('nothing');
    const half = join(folder, 'checkpoints', '.step-00000009.unfinished-1');
    await writeFile(half, 'half');
    expect(await refused({ folder, resume: true })).toBe('nothing');
    expect(await readdir(join(folder, 'checkpoints'))).not.toContain('.step-00000009.unfinished-1');
  });
});
