import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readAdapter } from '../../lib/checkpoints/adapter_files.js';
import { input, tensor } from '../../lib/graph/tensor.js';
import { pack } from '../../lib/layers/index.js';
import { columnSums, crossEntropy } from '../../lib/ops/index.js';
import { load } from '../../lib/tasks/load.js';
import { loadTrainable, type TrainableModel } from '../../lib/tasks/load_trainable.js';
import { mergeAdapter } from '../../lib/tasks/merge_adapter.js';
import { adamW } from '../../lib/train/optimizers.js';
import { TrainingStep } from '../../lib/train/training_step.js';
import { fixture, temporaryFolder } from './tiny_model.js';

interface Case {
  base: string;
  inputs: number[][];
  outputs: number[];
  labels: number[] | null;
  losses?: number[];
  trained?: number[];
}

/** What Python's peft says; see scripts/fixtures/adapters.py. */
const golden = JSON.parse(await readFile(fixture('adapters/cases.json'), 'utf8')) as {
  cases: Record<string, Case>;
  both: number[];
};
const names = Object.keys(golden.cases);
const trainable = names.filter((name) => golden.cases[name]?.losses);
const caseOf = (name: string): Case => golden.cases[name] as Case;
const folderOf = (name: string): string => fixture(`adapters/${name}`);

/** The greatest difference, in parts of the greatest value. */
function furthest(found: ArrayLike<number>, expected: readonly number[]): number {
  expect(found.length).toBe(expected.length);
  const most = (values: readonly number[]): number =>
    values.reduce((greatest, value) => Math.max(greatest, Math.abs(value)), 0);
  return most(expected.map((value, i) => value - (found[i] ?? 0))) / most(expected);
}

async function outputs(
  source: string,
  inputIds: number[][],
  options: Parameters<typeof load>[1],
): Promise<Float32Array> {
  using model = await load(source, { ...options });
  const isBase = source.includes('models/bert') || inputIds === caseOf('bert').inputs;
  const wanted = isBase ? 'lastHiddenState' : 'logits';
  const results = await model.forward({ inputIds }, { outputs: [wanted] });
  return results[wanted]?.data as Float32Array;
}

/** The loss of scripts/fixtures/adapters.py, and what it is fed. */
function lossOf(model: TrainableModel, { inputs, labels }: Case) {
  const packed = pack(labels ? inputs : inputs.map((ids) => ids.slice(0, -1)));
  const typeIds = tensor(new Int32Array(packed.ids.shape[0] as number));
  const { logits } = model.forward({ ...packed, typeIds });
  if (!logits) throw new Error('no logits');
  const targets = Int32Array.from(labels ?? inputs.flatMap((ids) => ids.slice(1)));
  const rows = targets.length;
  const losses = crossEntropy(logits, input('labels', [rows], 'int32'));
  const weights = input('weights', [rows, 1], 'float32');
  const loss = columnSums(losses, weights);
  return { loss, feeds: { labels: targets, weights: new Float32Array(rows).fill(1 / rows) } };
}

async function train(model: TrainableModel, of: Case, steps: number): Promise<number[]> {
  const { loss, feeds } = lossOf(model, of);
  using step = await TrainingStep.create({
    loss,
    groups: [{ parameters: model.adapter?.parameters ?? [] }],
    optimizer: adamW({ weightDecay: 0.01 }),
  });
  const found: number[] = [];
  for (let t = 1; t <= steps; t++) {
    found.push((await step.run({ learningRate: 1e-2, step: t }, feeds)).loss);
  }
  return found;
}

describe('adapters of peft', () => {
  it.each(names)("%s gives peft's outputs", async (name) => {
    const { base, inputs, outputs: expected } = caseOf(name);
    const plain = await outputs(fixture(base), inputs, {});
    const adapted = await outputs(fixture(base), inputs, { adapter: folderOf(name) });
    expect(furthest(adapted, expected)).toBeLessThan(1e-5);
    expect(furthest(plain, expected)).toBeGreaterThan(1e-2);
  });

  it('stand side by side, one on the other, and alone over one base', async () => {
    const { base, inputs, outputs: first } = caseOf('gpt2');
    const adapter = [folderOf('gpt2'), folderOf('gpt2-other')];
    expect(furthest(await outputs(fixture(base), inputs, { adapter }), golden.both)).toBeLessThan(
      5e-5,
    );
    using one = await load(fixture(base), { adapter: folderOf('gpt2') });
    using other = await load(fixture(base), { adapter: folderOf('gpt2-other') });
    const results = await Promise.all(
      [one, other].map((model) => model.forward({ inputIds: inputs })),
    );
    const [a, b] = results.map(({ logits }) => logits?.data as Float32Array);
    expect(furthest(a as Float32Array, first)).toBeLessThan(1e-5);
    expect(furthest(b as Float32Array, caseOf('gpt2-other').outputs)).toBeLessThan(1e-5);
  });

  it('write texts as they score them', async () => {
    const { base, inputs } = caseOf('gpt2');
    using model = await load(fixture(base), { adapter: folderOf('gpt2') });
    const [prompt = []] = inputs;
    const [found] = await model.generate(
      { inputIds: prompt },
      { maxNewTokens: 1, doSample: false, eosTokenId: null },
    );
    const { logits } = await model.forward({ inputIds: [prompt] });
    const width = logits?.shape[2] ?? 0;
    const last = Array.from(logits?.data.slice(-width) ?? []);
    expect(found?.ids).toEqual([last.indexOf(Math.max(...last))]);
  });

  it.each(['gpt2', 'classify'])('%s stands over a base of int8', async (name) => {
    const { base, inputs, outputs: expected } = caseOf(name);
    const options = { adapter: folderOf(name), dtype: 'int8' } as const;
    const found = await outputs(fixture(base), inputs, options);
    expect(furthest(found, expected)).toBeLessThan(0.2);
  });

  it.each(names)('%s is merged', async (name) => {
    const { base, inputs, outputs: expected } = caseOf(name);
    const folder = join(await temporaryFolder(), 'merged');
    await mergeAdapter(fixture(base), folderOf(name), folder);
    expect(furthest(await outputs(folder, inputs, {}), expected)).toBeLessThan(1e-5);
  });

  it('are merged two at once', async () => {
    const { base, inputs } = caseOf('gpt2');
    const folder = join(await temporaryFolder(), 'merged');
    await mergeAdapter(fixture(base), [folderOf('gpt2'), folderOf('gpt2-other')], folder);
    expect(furthest(await outputs(folder, inputs, {}), golden.both)).toBeLessThan(1e-5);
  });
});

describe('training of adapters', () => {
  it.each(trainable)("%s follows peft's steps, and is saved", async (name) => {
    const of = caseOf(name);
    using model = await loadTrainable(fixture(of.base), { adapter: folderOf(name) });
    const losses = await train(model, of, 6);
    expect(furthest(losses, of.losses ?? [])).toBeLessThan(1e-4);
    const folder = join(await temporaryFolder(), 'adapter');
    await model.adapter?.save(folder);
    const namesIn = async (at: string) => [...(await readAdapter(at)).tensors.keys()].sort();
    expect(await namesIn(folder)).toEqual(await namesIn(folderOf(name)));
    const found = await outputs(fixture(of.base), of.inputs, { adapter: folder });
    expect(furthest(found, of.trained ?? [])).toBeLessThan(1e-3);
    expect(furthest(found, of.outputs)).toBeGreaterThan(1e-2);
  });

  it("leaves out of names what Python's class without a head does", async () => {
    const model = join(await temporaryFolder(), 'model');
    await cp(fixture('models/bert/a'), model, { recursive: true });
    const file = join(model, 'config.json');
    const fields = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...fields, architectures: ['BertModel'] }));
    using opened = await loadTrainable(model, { adapter: { targetModules: ['query'], r: 2 } });
    await opened.adapter?.save(join(model, 'adapter'));
    const { tensors } = await readAdapter(join(model, 'adapter'));
    expect([...tensors.keys()][0]).toBe('encoder.layer.0.attention.self.query.lora_A.weight');
    expect(tensors.size).toBe(4);
  });

  it('begins where the base is, and changes nothing of it', async () => {
    const { base, inputs } = caseOf('gpt2');
    const plain = await outputs(fixture(base), inputs, {});
    const adapter = {
      targetModules: ['c_attn', 'c_fc'],
      r: 4,
      alpha: 8,
      rsLora: true,
      dropout: 0.2,
    };
    using model = await loadTrainable(fixture(base), { adapter });
    const trained = new Set(model.adapter?.parameters);
    expect(trained.size).toBe(2 * 2 * 2); // two matrices of two projections in two layers
    const losses = await train(model, caseOf('gpt2'), 8);
    expect(losses.at(-1)).toBeLessThan(losses[0] as number);
    const folder = join(await temporaryFolder(), 'adapter');
    await model.adapter?.save(folder);
    const config = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8'));
    expect(config).toMatchObject({
      peft_type: 'LORA',
      r: 4,
      use_rslora: true,
      lora_dropout: 0.2,
      fan_in_fan_out: true,
    });
    expect(furthest(await outputs(fixture(base), inputs, {}), [...plain])).toBe(0);
    const found = await outputs(fixture(base), inputs, { adapter: folder });
    expect(furthest(found, [...plain])).toBeGreaterThan(1e-3);
  });
});

describe('adapters that do not fit', () => {
  const { base } = caseOf('gpt2');
  const edited = async (change: (config: Record<string, unknown>) => void): Promise<string> => {
    const folder = join(await temporaryFolder(), 'adapter');
    await cp(folderOf('gpt2'), folder, { recursive: true });
    const file = join(folder, 'adapter_config.json');
    const config = JSON.parse(await readFile(file, 'utf8'));
    change(config);
    await writeFile(file, JSON.stringify(config));
    return folder;
  };

  it.each([
    ['use_dora', true, 'ERR_UNSUPPORTED'],
    ['peft_type', 'IA3', 'ERR_UNSUPPORTED'],
    ['bias', 'all', 'ERR_UNSUPPORTED'],
    ['init_lora_weights', 'pissa', 'ERR_UNSUPPORTED'],
    ['lora_alpha', 'much', 'ERR_CONFIG'],
    ['lora_dropout', 1, 'ERR_CONFIG'],
    ['alpha_pattern', { '(a+)+$': 2 }, 'ERR_UNSUPPORTED'],
  ])('%s of %j', async (key, value, code) => {
    const adapter = await edited((config) => {
      config[key] = value;
    });
    const loading = load(fixture(base), { adapter });
    await expect(loading).rejects.toMatchObject({ code, message: expect.stringContaining(key) });
  });

  it('of another model, of no folder, of names that the model has not', async () => {
    const phi = load(fixture(base), { adapter: folderOf('phi3') });
    await expect(phi).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    const none = load(fixture(base), { adapter: fixture('adapters') });
    await expect(none).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    const twice = [folderOf('classify'), folderOf('classify')];
    const saved = load(fixture(caseOf('classify').base), { adapter: twice });
    await expect(saved).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    for (const adapter of [
      { targetModules: ['nothing'] },
      { targetModules: ['c_fc'], modulesToSave: ['none'] },
    ]) {
      await expect(loadTrainable(fixture(base), { adapter })).rejects.toMatchObject({
        code: 'ERR_NOT_FOUND',
      });
    }
    const transposed = { targetModules: ['c_fc'], modulesToSave: ['c_attn'] };
    await expect(loadTrainable(fixture(base), { adapter: transposed })).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
    });
    const wrong = [
      { targetModules: [] },
      { targetModules: ['c_fc'], r: 0 },
      { targetModules: ['c_fc'], dropout: 1 },
      { targetModules: 'c_fc' as never },
    ];
    for (const adapter of wrong) {
      await expect(loadTrainable(fixture(base), { adapter })).rejects.toMatchObject({
        code: 'ERR_ARGUMENT',
      });
    }
    await expect(loadTrainable(fixture(base), { dtype: 'int8' })).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
    });
  });
});
