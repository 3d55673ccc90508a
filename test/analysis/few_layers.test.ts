/** Deep models, counted by two that have few of their layers, against their own graphs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type PlacedRun, repeatedLifetimes } from '../../lib/analysis/repeated_run.js';
import { checkWorkload, type Workload } from '../../lib/analysis/workload.js';
import { Config } from '../../lib/checkpoints/config.js';
import type { JsonFields } from '../../lib/checkpoints/json_file.js';
import type { Lifetime } from '../../lib/graph/memory.js';
import type { FileRange } from '../../lib/native.js';
import { estimate, fromAllLayers, fromFewLayers } from '../../lib/tasks/estimate.js';
import { estimateSource, plainConfig } from '../../lib/tasks/estimate_source.js';
import { layerStack } from '../../lib/tasks/layer_stack.js';
import { firstLayers } from '../../lib/tasks/layer_tensors.js';
import { freshTrainable } from '../../lib/tasks/load_trainable.js';
import { temporaryFolder } from '../tasks/tiny_model.js';

const fixture = (name: string, fields: JsonFields): JsonFields => ({
  ...JSON.parse(readFileSync(`test/fixtures/models/${name}/config.json`, 'utf8')),
  ...fields,
});
const layersOf = (num_hidden_layers: number): JsonFields => ({ num_hidden_layers });

/** Patterns of layers as the families have them, where config.json lists none. */
const models: readonly (readonly [name: string, fields: JsonFields])[] = [
  ['bert/b', layersOf(9)],
  ['roberta/a', layersOf(9)],
  ['distilbert/a', { n_layers: 9 }],
  ['gpt2/1', { n_layer: 9 }],
  ['gpt_neox/3', layersOf(9)],
  ['llama/1', layersOf(9)],
  ['mistral/1', layersOf(9)],
  ['qwen2/1', { num_hidden_layers: 9, use_sliding_window: false, layer_types: null }],
  ['qwen3/1', { num_hidden_layers: 9, use_sliding_window: false, layer_types: null }],
  ['gemma2/1', { num_hidden_layers: 16, layer_types: null }],
  ['gemma3_text/1', { num_hidden_layers: 24, layer_types: null, sliding_window_pattern: 3 }],
  ['granite/1', layersOf(9)],
  ['phi3/2', layersOf(9)],
  [
    'smollm3/1',
    { num_hidden_layers: 17, no_rope_layers: null, no_rope_layer_interval: 2, layer_types: null },
  ],
  ['olmo2/1', layersOf(9)],
  ['mixtral/1', layersOf(9)],
  ['qwen3_moe/2', { num_hidden_layers: 17, decoder_sparse_step: 2, mlp_only_layers: [] }],
  ['falcon/2', layersOf(9)],
  ['starcoder2/1', layersOf(9)],
];

/** Both ways. */
function counted(fields: JsonFields, workload: Workload) {
  const config = new Config(fields, 'config.json');
  const given = checkWorkload(workload);
  return {
    few: fromFewLayers(config, given, undefined),
    all: () => fromAllLayers(config, given, undefined),
  };
}

describe('an estimate from few layers', () => {
  it.each(models)('of %s is that of its whole graphs', (name, fields) => {
    const workloads: Workload[] = [
      { batch: 3, length: 8, dtype: 'bfloat16', machine: { gflops: 100, gbps: 10 } },
      { batch: 2, length: 16, optimizer: 'adafactor', recompute: 'full' },
    ];
    for (const workload of workloads) {
      const { few, all } = counted(fixture(name, fields), workload);
      // Times are sums of rounded quotients.
      expect(few).toBeDefined();
      const whole = all();
      expect({ ...few, roofline: 0 }).toEqual({ ...whole, roofline: 0 });
      const seconds = whole.roofline.forward.seconds ?? 0;
      expect(few?.roofline.forward.seconds ?? 0).toBeCloseTo(seconds, 12);
      expect(few?.roofline.decode?.intensity).toBe(whole.roofline.decode?.intensity);
    }
  });

  it.each([10, 11, 12, 13])(
    'of %s layers with tied words has the memory of its whole graphs',
    (n) => {
      const fields = plainConfig({
        layers: n,
        hidden: 576,
        heads: 9,
        vocabulary: 49152,
        keyHeads: 3,
      });
      const sizes = { ...fields, intermediate_size: 1536, tie_word_embeddings: true };
      const { few, all } = counted(sizes, { length: 512 });
      expect(few?.memory).toEqual(all().memory);
    },
  );

  it.each<[JsonFields, why: string]>([
    [fixture('llama/1', layersOf(3)), 'there are few'],
    [fixture('albert/base', layersOf(12)), 'parameters are shared'],
    [fixture('deberta-v2/base', layersOf(12)), 'the first is convolved'],
    [fixture('electra/mlm', layersOf(9)), 'no norm is computed again before the first'],
    [
      fixture('qwen2/1', {
        num_hidden_layers: 20,
        layer_types: null,
        use_sliding_window: true,
        sliding_window: 4,
        max_window_layers: 18,
      }),
      'the last have a window',
    ],
    [fixture('qwen3_moe/2', { num_hidden_layers: 20, mlp_only_layers: [17] }), 'one is dense'],
    [
      { ...fixture('gpt2/1', { n_layer: 12 }), num_hidden_layers: 9 },
      'two fields contradict each other',
    ],
    [
      fixture('gemma2/1', {
        num_hidden_layers: 20,
        layer_types: Array.from({ length: 20 }, (_, i) =>
          i < 12 ? 'sliding_attention' : 'full_attention',
        ),
      }),
      'their kinds are listed and do not repeat',
    ],
  ])('is none where %# layers do not repeat: %s', (fields) => {
    expect(counted(fields, { length: 8 }).few).toBeUndefined();
  });

  it('names the field that is wrong with all layers', () => {
    const fields = fixture('gemma2/1', { num_hidden_layers: 20, layer_types: ['full_attention'] });
    expect(() => estimate(fields)).toThrow(/layer_types: expected 20 .*found 1/);
  });

  it('names every tensor that a checkpoint lacks', async () => {
    const fields = { architectures: ['GPT2LMHeadModel'], n_embd: 8, n_layer: 9, n_head: 2 };
    const folder = await temporaryFolder();
    using fresh = freshTrainable({ ...fields, n_positions: 16, vocab_size: 40 }, 1);
    await fresh.save(folder);
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    const other = { ...config, architectures: ['LlamaForCausalLM'], model_type: 'llama' };
    const sizes = { num_hidden_layers: 9, hidden_size: 8, num_attention_heads: 2, n_layer: null };
    const all = { ...other, ...sizes, intermediate_size: 8, max_position_embeddings: 16 };
    writeFileSync(join(folder, 'config.json'), JSON.stringify(all));
    // As many as are named at most; few layers would lack 30.
    await expect(estimateSource(folder)).rejects.toThrow(/expected 64 tensors/);
  });

  it('of a checkpoint has the parameters of all its tensors', async () => {
    const fields = { architectures: ['GPT2LMHeadModel'], n_embd: 8, n_layer: 9, n_head: 2 };
    const config = { ...fields, n_positions: 16, vocab_size: 40 };
    const folder = await temporaryFolder();
    using fresh = freshTrainable(config, 1);
    await fresh.save(folder);
    const { workload: _, ...found } = await estimateSource(folder);
    expect(estimate(config, { dtype: 'float32' })).toMatchObject(found);
  });
});

describe('the tensors of the first layers', () => {
  const stack = layerStack(new Config(fixture('llama/1', layersOf(9)), 'config.json'));
  const tensorsOf = (change: (name: string) => Partial<FileRange> | undefined) => {
    const names = Array.from({ length: 9 }, (_, i) => `model.layers.${i}.mlp.experts.0.weight`);
    return new Map(
      ['model.norm.weight', ...names].flatMap((name): [string, FileRange][] => {
        const changed = change(name);
        const range: FileRange = { path: '', dtype: 'F32', dims: [4, 2], offset: 0, bytes: 32 };
        return changed ? [[name, { ...range, ...changed }]] : [];
      }),
    );
  };
  const first = (change: (name: string) => Partial<FileRange> | undefined) =>
    stack && firstLayers(tensorsOf(change), 2, stack);

  it('are those and what belongs to no layer', () => {
    expect([...(first(() => ({})) ?? new Map()).keys()]).toEqual([
      'model.norm.weight',
      'model.layers.0.mlp.experts.0.weight',
      'model.layers.1.mlp.experts.0.weight',
    ]);
  });

  it('stand for no others where one lacks a tensor, or has it in another dtype or shape', () => {
    const changes = [undefined, { dtype: 'BF16' }, { dims: [2, 4] }] as const;
    for (const changed of changes) {
      expect(first((name) => (name.includes('.6.') ? changed : {}))).toBeUndefined();
    }
    // The first may be unlike all others.
    expect(first((name) => (name.includes('.0.mlp') ? { dims: [3] } : {}))).toBeDefined();
  });
});

describe('lifetimes in a deeper run', () => {
  /** A node of each letter makes a value, which ends where `lasts` says. */
  const run = (letters: string, lasts: readonly number[]): PlacedRun => ({
    kinds: [...letters],
    lifetimes: lasts.map((last, first) => ({ values: [first], bytes: 64, first, last })),
    values: lasts.length,
  });
  const ends = (lifetimes: readonly Lifetime[] | undefined) => lifetimes?.map(({ last }) => last);
  const few = run('alz', [1, 2, 2]);

  it('follow those of a chain, and of a way there and back', () => {
    const chain = run('alllz', [1, 2, 3, 4, 4]);
    expect(ends(repeatedLifetimes(few, chain, 2, 2))).toEqual([1, 2, 3, 4, 5, 6, 6]);
    // Each of f is read by its b, the last first.
    const back = run('afffbbbz', [7, 6, 5, 4, 5, 6, 7, 7]);
    const deeper = repeatedLifetimes(run('afbz', [3, 2, 3, 3]), back, 2, 1);
    expect(ends(deeper)).toEqual([9, 8, 7, 6, 5, 6, 7, 8, 9, 9]);
  });

  it('are unknown where nodes do not repeat, or values end without a rule', () => {
    expect(repeatedLifetimes(few, run('alxyz', [1, 2, 3, 4, 4]), 2, 2)).toBeUndefined();
    expect(repeatedLifetimes(few, run('allz', [1, 2, 3, 3]), 2, 2)).toBeUndefined();
    expect(repeatedLifetimes(few, run('alllz', [1, 4, 3, 4, 4]), 2, 2)).toBeUndefined();
  });
});
