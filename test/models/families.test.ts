import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { architectureOf } from '../../lib/models/registry.js';
import { load } from '../../lib/tasks/load.js';
import { tinyBert, tinyFolder } from '../tasks/tiny_model.js';

const models = join(tinyBert, '..', '..');
const at = (family: string, head: string): string => join(models, family, head);

describe('architectures', () => {
  const families = {
    bert: 'Bert',
    roberta: 'Roberta',
    'xlm-roberta': 'XLMRoberta',
    distilbert: 'DistilBert',
    mpnet: 'MPNet',
    electra: 'Electra',
    albert: 'Albert',
    'deberta-v2': 'DebertaV2',
    modernbert: 'ModernBert',
  };
  const heads = ['MaskedLM', 'SequenceClassification', 'TokenClassification', 'QuestionAnswering'];

  it.each(Object.entries(families))('%s has every head', (type, name) => {
    for (const head of [...heads, 'MultipleChoice']) {
      const { architecture } = architectureOf([`${name}For${head}`], type);
      expect(architecture.kind).toBe('encoder');
    }
    expect(architectureOf([], type).name).toBe(`${name}Model`);
  });

  it.each([
    ['gpt2', 'GPT2LMHeadModel', 'GPT2Model'],
    ['gpt_neox', 'GPTNeoXForCausalLM', 'GPTNeoXModel'],
    ['llama', 'LlamaForCausalLM', 'LlamaModel'],
    ['gemma3_text', 'Gemma3ForCausalLM', 'Gemma3TextModel'],
    ['qwen3_moe', 'Qwen3MoeForCausalLM', 'Qwen3MoeModel'],
  ])('%s has a language model and the layers alone', (type, language, base) => {
    expect(architectureOf([language], type).architecture.kind).toBe('decoder');
    expect(architectureOf([], type).name).toBe(base);
  });

  it.each(['constructor', '__proto__', 'BertFor', 'bertModel', 'ModernBertForPreTraining'])(
    'has no %s',
    (name) => {
      expect(() => architectureOf([name], 'bert')).toThrow(
        expect.objectContaining({ code: 'ERR_UNSUPPORTED' }),
      );
    },
  );
});

/** A tiny model, a change of its config, and the error that names it. */
const configs: [family: string, head: string, fields: object, code: string, message: RegExp][] = [
  ['modernbert', 'cls', { layer_types: ['full_attention'] }, 'ERR_CONFIG', /layer_types.*found 1/],
  [
    'modernbert',
    'cls',
    { layer_types: ['full_attention', 'constructor', 'full_attention'] },
    'ERR_CONFIG',
    /layer_types.*sliding_attention.*'constructor'/,
  ],
  ['modernbert', 'cls', { layer_types: 'full' }, 'ERR_CONFIG', /layer_types.*list/],
  ['modernbert', 'cls', { classifier_pooling: 'max' }, 'ERR_UNSUPPORTED', /cls.*mean.*'max'/],
  ['modernbert', 'cls', { rope_parameters: 7 }, 'ERR_CONFIG', /rope_parameters.*an object/],
  [
    'modernbert',
    'cls',
    { rope_parameters: { full_attention: { rope_type: 'yarn', rope_theta: 1e4 } } },
    'ERR_UNSUPPORTED',
    /rope_parameters\.full_attention\.rope_type.*'yarn'/,
  ],
  ['modernbert', 'cls', { intermediate_size: 10 }, 'ERR_SHAPE', /mlp\.Wi\.weight.*\[20, /],
  ['deberta-v2', 'cls', { position_buckets: 4096 }, 'ERR_CONFIG', /position_buckets.*4096/],
  ['deberta-v2', 'cls', { position_buckets: 6 }, 'ERR_SHAPE', /rel_embeddings.*\[12, /],
  ['deberta-v2', 'cls', { conv_kernel_size: 4 }, 'ERR_UNSUPPORTED', /conv_kernel_size.*odd.*4/],
  ['deberta-v2', 'cls', { conv_groups: 2 }, 'ERR_UNSUPPORTED', /in one group.*in 2/],
  ['deberta-v2', 'cls', { pos_att_type: 3 }, 'ERR_CONFIG', /pos_att_type/],
  ['deberta-v2', 'cls', { share_att_key: false }, 'ERR_NOT_FOUND', /pos_key_proj/],
  ['albert', 'base', { num_hidden_groups: 9 }, 'ERR_CONFIG', /num_hidden_groups.*found 9/],
  ['albert', 'base', { embedding_size: 5 }, 'ERR_SHAPE', /word_embeddings.*, 5\].*, 13\]/],
  ['llama', '1', { num_key_value_heads: 4 }, 'ERR_CONFIG', /num_key_value_heads.*4 for/],
  [
    'llama',
    '1',
    { rope_parameters: { rope_type: 'axial' } },
    'ERR_UNSUPPORTED',
    /rope_type.*'axial'/,
  ],
  [
    'phi3',
    '2',
    {
      rope_scaling: { rope_type: 'longrope', short_factor: [1], long_factor: [1] },
      rope_parameters: undefined,
    },
    'ERR_CONFIG',
    /short_factor.*found 1/,
  ],
  ['gemma3_text', '1', { layer_types: ['full_attention'] }, 'ERR_CONFIG', /layer_types.*found 1/],
  [
    'phi',
    '5',
    { qk_layernorm: true },
    'ERR_UNSUPPORTED',
    /qk_layernorm: expected false, found true/,
  ],
  ['stablelm', '1', { qk_layernorm: true }, 'ERR_UNSUPPORTED', /qk_layernorm: expected false/],
  ['gemma3_text', '1', { use_bidirectional_attention: true }, 'ERR_UNSUPPORTED', /bidirectional/],
  ['falcon', '2', { num_attention_heads: 5 }, 'ERR_CONFIG', /divisor of hidden_size/],
  ['mixtral', '1', { num_local_experts: 99 }, 'ERR_SHAPE', /gate\.weight.*\[99, /],
  ['electra', 'mc', { summary_type: 'mean' }, 'ERR_UNSUPPORTED', /summary_type.*'mean'/],
];

describe('load refuses', () => {
  it.each(configs)('%s/%s with %j', async (family, head, config, code, message) => {
    const from = at(family, head);
    const folder = await tinyFolder({ from, config: { ...config }, tokenizer: false });
    await expect(load(folder)).rejects.toMatchObject({
      name: 'HeddleError',
      code,
      message: expect.stringMatching(message),
    });
  });
});

it('Gemma 3 caps no scores of attention, as its class does not, whatever config.json says', async () => {
  const from = at('gemma3_text', '1');
  const folder = await tinyFolder({
    from,
    config: { attn_logit_softcapping: 0.5 },
    tokenizer: false,
  });
  using plain = await load(from);
  using capped = await load(folder);
  const inputs = { inputIds: [[5, 9, 2, 17, 30, 8]] };
  expect(await capped.forward(inputs)).toEqual(await plain.forward(inputs));
});

describe('older spellings', () => {
  it('of the bases of ModernBERT give the same vectors', async () => {
    const from = at('modernbert', 'mlm'); // full, sliding, sliding
    const inputs = { inputIds: [[5, 9, 2, 17, 30, 8]] };
    using model = await load(from);
    const bases = (model.config as { rope_parameters: Record<string, { rope_theta: number }> })
      .rope_parameters;
    const config = {
      rope_parameters: undefined,
      layer_types: undefined,
      global_attn_every_n_layers: 3,
      global_rope_theta: bases.full_attention.rope_theta,
      local_rope_theta: bases.sliding_attention.rope_theta,
    };
    using older = await load(await tinyFolder({ from, config, tokenizer: false }));
    expect(await older.forward(inputs)).toEqual(await model.forward(inputs));
  });
});

describe('a model for multiple choice', () => {
  const choices = [
    [
      [4, 5, 6],
      [7, 8],
    ],
    [
      [9, 10, 11, 12],
      [13, 14, 15],
    ],
  ];

  it('takes choices by question, of any lengths', async () => {
    using model = await load(at('bert', 'mc'));
    const { logits } = await model.forward({ inputIds: choices });
    expect(logits.shape).toEqual([2, 2]);
    const alone = await model.forward({ inputIds: [choices[1]] });
    expect(Array.from(alone.logits.data)).toEqual(Array.from(logits.data.subarray(2)));
  });

  it.each<[string, object, RegExp]>([
    ['rows of ids', { inputIds: [[4, 5, 6]] }, /inputIds\[0\]\[0\].*number/],
    ['no questions', { inputIds: [] }, /\[questions\]\[choices\]\[length\]/],
    ['no choices', { inputIds: [[]] }, /\[questions\]\[choices\]\[length\]/],
    [
      'another number of choices',
      { inputIds: [choices[0], [[1, 2]]] },
      /inputIds\[1\].*2 choices, as the first question has/,
    ],
    ['a mask of fewer questions', { inputIds: choices, attentionMask: [] }, /attentionMask.*2/],
    [
      'an id outside the vocabulary',
      {
        inputIds: [
          choices[0],
          [
            [1, 2],
            [3, 1e6],
          ],
        ],
      },
      /inputIds\[1\]\[1\]\[1\].*1000000/,
    ],
  ])('refuses %s', async (_, inputs, message) => {
    using model = await load(at('bert', 'mc'));
    await expect(model.forward(inputs as never)).rejects.toMatchObject({
      code: 'ERR_INPUT',
      message: expect.stringMatching(message),
    });
  });
});

describe('a model for question answering', () => {
  it('gives the scores of starts and ends by default, and 0 for padding', async () => {
    using model = await load(at('xlm-roberta', 'qa'));
    const outputs = await model.forward({
      inputIds: [
        [4, 5, 6],
        [7, 8, 1],
      ],
      attentionMask: [
        [1, 1, 1],
        [1, 1, 0],
      ],
    });
    expect(Object.keys(outputs)).toEqual(['startLogits', 'endLogits']);
    for (const { data, shape } of Object.values(outputs)) {
      expect(shape).toEqual([2, 3]);
      expect(data[5]).toBe(0);
    }
  });
});
