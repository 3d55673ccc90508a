import { describe, expect, it } from 'vitest';
import { inspect } from '../../lib/tasks/inspect.js';
import { fileOf } from '../checkpoints/safetensors_bytes.js';
import { tinyFolder } from './tiny_model.js';

describe('inspect', () => {
  it('counts the elements of floating-point tensors as parameters, in every such dtype', async () => {
    const header = {
      'embeddings.position_ids': { dtype: 'I64', shape: [1, 5], data_offsets: [0, 40] },
      double: { dtype: 'F64', shape: [2], data_offsets: [40, 56] },
      single: { dtype: 'F32', shape: [3, 2], data_offsets: [56, 80] },
      half: { dtype: 'F16', shape: [], data_offsets: [80, 82] },
      brain: { dtype: 'BF16', shape: [4], data_offsets: [82, 90] },
      bytes: { dtype: 'U8', shape: [7], data_offsets: [90, 97] },
      mask: { dtype: 'BOOL', shape: [3], data_offsets: [97, 100] },
    };
    const file = fileOf(JSON.stringify(header), new Uint8Array(100));
    const facts = await inspect(await tinyFolder({ files: { 'model.safetensors': file } }));
    expect(facts).toMatchObject({ parameters: { total: 2 + 6 + 1 + 4 }, bytes: 100, files: 1 });
    expect(facts.tensors.map(({ name }) => name)).toEqual(Object.keys(header));
  });

  it('names the tensors that the model makes nothing of', async () => {
    const folder = await tinyFolder({ config: { architectures: ['BertModel'] } });
    const { supported, unused, problem } = await inspect(folder);
    expect({ supported, problem }).toEqual({ supported: true, problem: undefined });
    expect(unused.sort()).toEqual([
      'cls.predictions.bias',
      'cls.predictions.transform.LayerNorm.bias',
      'cls.predictions.transform.LayerNorm.weight',
      'cls.predictions.transform.dense.bias',
      'cls.predictions.transform.dense.weight',
    ]);
    expect((await inspect(await tinyFolder())).unused).toEqual([]);
  });

  it('says which tensor is missing', async () => {
    const config = { architectures: ['BertForQuestionAnswering'] };
    const { supported, problem } = await inspect(await tinyFolder({ config }));
    expect(supported).toBe(true);
    expect(problem).toMatch(/expected 2 tensors 'qa_outputs\.weight', 'qa_outputs\.bias'/);
  });

  it('knows no tensors of an architecture that it does not know', async () => {
    const config = { architectures: ['GPT9'] };
    const facts = await inspect(await tinyFolder({ config }));
    expect(facts).toMatchObject({ supported: false, unused: [] });
    expect(facts.problem).toBeUndefined();
  });
});
