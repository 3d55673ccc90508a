/** Looking inside models: attention maps, the logit lens, similarity of tokens. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { attentionStatistics } from '../../lib/analysis/attention_statistics.js';
import { predictions } from '../../lib/analysis/predictions.js';
import { tokenSimilarity } from '../../lib/analysis/token_similarity.js';
import { defaultBackend } from '../../lib/graph/default_backend.js';
import type { NativeBackend } from '../../lib/graph/native_backend.js';
import { attentionMaps } from '../../lib/tasks/attention_maps.js';
import { load } from '../../lib/tasks/load.js';
import { logitLens } from '../../lib/tasks/logit_lens.js';
import { tokenSimilarities } from '../../lib/tasks/token_similarities.js';
import { readTensors } from '../../scripts/conformance/models.mjs';
import { fixture, tinyBert, tinyFolder } from './tiny_model.js';

const gemma = fixture('models/gemma2/1');

/** The first text of a golden case without padding, and PyTorch's values for it. */
async function golden(folder: string) {
  const { cases } = JSON.parse(await readFile(join(folder, 'cases.json'), 'utf8'));
  const { inputs } = cases.find(({ name }: { name: string }) => name === 'no_mask');
  const tensors = readTensors(await readFile(join(folder, 'expected.safetensors')));
  const first = (name: string) => {
    const { data, shape } = tensors.get(`no_mask.${name}`) as {
      data: Float32Array;
      shape: number[];
    };
    return { data: data.subarray(0, data.length / shape[0]), shape: shape.slice(1) };
  };
  return { inputIds: inputs.input_ids[0] as number[], first };
}

/** Ops of all plans that a job runs. */
async function opsOf(job: () => Promise<unknown>): Promise<(name: string) => number> {
  const backend = defaultBackend() as NativeBackend;
  const ops: string[] = [];
  backend.onProfile = ({ program }) => ops.push(...program.nodes.map(({ op }) => op));
  try {
    await job();
  } finally {
    backend.onProfile = undefined;
  }
  return (name) => ops.filter((op) => op === name).length;
}

describe('attentionMaps', () => {
  // Layers 0 and 2 of both see the 8 last tokens only, or layers 1 and 2.
  it.each(['gemma2/1', 'gemma3_text/1'])(
    "are PyTorch's, and so are their statistics: %s",
    async (name) => {
      const folder = fixture(`models/${name}`);
      const { inputIds, first } = await golden(folder);
      using model = await load(folder);
      const { layers, tokens, length } = await attentionMaps(model, { inputIds });
      expect(tokens.map(({ id }) => id)).toEqual(inputIds);
      expect(tokens[0].text).toBe(`#${inputIds[0]}`);
      expect(length).toBe(inputIds.length);
      expect(layers.map(({ layer }) => layer)).toEqual([0, 1, 2]);
      let unseen = 0;
      for (const { layer, heads, weights } of layers) {
        const expected = first(`attentions.${layer}`);
        expect(weights.length).toBe(expected.data.length);
        for (const [i, weight] of weights.entries()) {
          if (Math.abs(weight - expected.data[i]) > 1e-4) expect(weight).toBe(expected.data[i]);
          const [query, key] = [
            Math.floor(i / inputIds.length) % inputIds.length,
            i % inputIds.length,
          ];
          if (key > query) expect(weight).toBe(0);
          if (key <= query - 8 && weight === 0) unseen++;
        }
        attentionStatistics(expected).forEach((statistics, head) => {
          expect(heads[head].entropy).toBeCloseTo(statistics.entropy, 4);
          expect(heads[head].distance).toBeCloseTo(statistics.distance, 3);
        });
      }
      expect(unseen).toBeGreaterThan(0);
    },
  );

  it('computes maps of the layers alone that are watched', async () => {
    const { inputIds } = await golden(gemma);
    using model = await load(gemma);
    const watched = await opsOf(() => attentionMaps(model, { inputIds }, { layers: [1] }));
    // The layer before runs fused; what follows the map is not computed.
    expect([watched('attentionWeights'), watched('attention')]).toEqual([1, 1]);
    const beside = await opsOf(() =>
      model.forward(
        { inputIds: [inputIds] },
        { outputs: ['logits', 'attentions.0', 'attentions.2'] },
      ),
    );
    expect([beside('attentionWeights'), beside('attention')]).toEqual([2, 3]);
    const none = await opsOf(() => model.forward({ inputIds: [inputIds] }));
    expect([none('attentionWeights'), none('attention')]).toEqual([0, 3]);
  });

  it('names tokens by what they stand for in the text', async () => {
    using model = await load(await tinyFolder());
    const { tokens, length } = await attentionMaps(model, 'an ox, no', { maxTokens: 6 });
    expect(tokens.map(({ text }) => text)).toEqual(['[CLS]', 'a', 'n', 'o', 'x', ',']);
    expect(tokens.map(({ continues }) => continues)).toEqual([
      false,
      false,
      true,
      false,
      true,
      true,
    ]);
    expect(length).toBe(9);
  });

  it('takes models of multiple choice, and units', async () => {
    using model = await load(fixture('models/bert/mc'));
    const inBits = await attentionMaps(model, { inputIds: [5, 6, 7] }, { unit: 'bits' });
    const inNats = await attentionMaps(model, { inputIds: [5, 6, 7] });
    const [bits, nats] = [inBits, inNats].map(({ layers }) => layers[0].heads[0].entropy);
    expect(nats).toBeGreaterThan(0);
    expect(bits * Math.LN2).toBeCloseTo(nats, 10);
  });
});

describe('logitLens', () => {
  it("ends with the model's own prediction", async () => {
    const { inputIds } = await golden(gemma);
    using model = await load(gemma);
    const { layers } = await logitLens(model, { inputIds }, { topK: 3 });
    expect(layers.map(({ layer }) => layer)).toEqual([0, 1, 2, 3]);
    const { logits } = await model.forward({ inputIds: [inputIds] });
    const own = predictions({ data: logits.data, shape: logits.shape.slice(1) }, 3);
    expect(
      layers[3].positions.map(({ top, entropy }) => ({
        top: top.map(({ id, probability }) => ({ id, probability })),
        entropy,
      })),
    ).toEqual(own);
  });

  it('puts norm and output projection on the layers before', async () => {
    const { inputIds, first } = await golden(gemma);
    const weights = readTensors(await readFile(join(gemma, 'model.safetensors')));
    const { rms_norm_eps: epsilon, final_logit_softcapping: cap } = JSON.parse(
      await readFile(join(gemma, 'config.json'), 'utf8'),
    );
    const norm = weights.get('norm.weight')?.data as Float32Array;
    const words = weights.get('embed_tokens.weight') as {
      data: Float32Array;
      shape: number[];
    };
    const width = norm.length;
    // Zhang & Sennrich 2019, with Gemma's gains of 1 + w, and the soft-cap of Gemma 2.
    const logitsOf = (hidden: Float32Array): number[] => {
      const square = hidden.reduce((sum, x) => sum + x * x, 0) / width;
      const normed = Array.from(
        hidden,
        (x, i) => (x / Math.sqrt(square + epsilon)) * (1 + norm[i]),
      );
      return Array.from({ length: words.shape[0] }, (_, word) => {
        const dot = normed.reduce((sum, x, i) => sum + x * words.data[word * width + i], 0);
        return cap * Math.tanh(dot / cap);
      });
    };
    using model = await load(gemma);
    const { layers } = await logitLens(model, { inputIds });
    for (const layer of [0, 1, 2]) {
      const { data } = first(`hidden_states.${layer}`);
      inputIds.forEach((_, position) => {
        const row = data.subarray(position * width, (position + 1) * width);
        const shape = [1, words.shape[0]];
        const [expected] = predictions({ data: Float32Array.from(logitsOf(row)), shape }, 5);
        const { top, entropy } = layers[layer].positions[position];
        expect(entropy).toBeCloseTo(expected.entropy, 4);
        expect(top[0].id).toBe(expected.top[0].id);
        for (const [i, { probability }] of top.entries()) {
          expect(probability).toBeCloseTo(expected.top[i].probability, 4);
        }
      });
    }
  });

  it('reads long texts in blocks, to the same values', async () => {
    const from = fixture('models/llama/1');
    using model = await load(
      await tinyFolder({ from, tokenizer: false, config: { max_position_embeddings: 300 } }),
    );
    const inputIds = Array.from({ length: 200 }, (_, i) => (i * 7) % 60);
    const { layers } = await logitLens(model, { inputIds });
    const { logits } = await model.forward({ inputIds: [inputIds] });
    const own = predictions({ data: logits.data, shape: logits.shape.slice(1) }, 1);
    expect(layers[1].positions.map(({ top }) => top[0].id)).toEqual(
      own.map(({ top }) => top[0].id),
    );
  });
});

describe('tokenSimilarities', () => {
  it('are those of the hidden states', async () => {
    const { inputIds, first } = await golden(gemma);
    using model = await load(gemma);
    const { layers, threshold } = await tokenSimilarities(model, { inputIds }, { threshold: 0.5 });
    expect(threshold).toBe(0.5);
    expect(layers).toHaveLength(4);
    for (const { layer, mean, clusters } of layers) {
      const expected = tokenSimilarity(first(`hidden_states.${layer}`), { threshold });
      expect(mean).toBeCloseTo(expected.mean, 5);
      expect(clusters).toBe(expected.clusters);
    }
  });
});

describe('looking inside refuses', async () => {
  const bert = await load(await tinyFolder());
  const llama = await load(fixture('models/llama/1'));
  const ids = { inputIds: [5, 6] };
  const wrong: [string, () => Promise<unknown>, string, RegExp][] = [
    ['an empty text', () => attentionMaps(bert, ''), 'ERR_INPUT', /at least one token/],
    ['no ids', () => logitLens(llama, { inputIds: [] }), 'ERR_INPUT', /at least one id/],
    [
      'ids that there are not',
      () => logitLens(llama, { inputIds: [5, 67] }),
      'ERR_INPUT',
      /\[1\].*0 to 66/,
    ],
    [
      'a long text',
      () => tokenSimilarities(bert, 'a '.repeat(99)),
      'ERR_INPUT',
      /48 tokens.*101.*max/,
    ],
    [
      'more tokens than there is room for',
      () => attentionMaps(bert, 'a', { maxTokens: 49 }),
      'ERR_ARGUMENT',
      /48/,
    ],
    [
      'a layer too many',
      () => attentionMaps(bert, 'a', { layers: [2] }),
      'ERR_ARGUMENT',
      /0 to 1.*2/,
    ],
    ['no layer', () => attentionMaps(bert, 'a', { layers: [] }), 'ERR_ARGUMENT', /layers/],
    ['the lens of an encoder', () => logitLens(bert, 'a'), 'ERR_UNSUPPORTED', /--attention/],
    ['a text without a tokenizer', () => logitLens(llama, 'a'), 'ERR_UNSUPPORTED', /ids/],
    ['what is no text', () => attentionMaps(bert, 7 as unknown as string), 'ERR_ARGUMENT', /text/],
    ['what is no model', () => attentionMaps({} as never, 'a'), 'ERR_ARGUMENT', /load/],
    [
      'options that there are not',
      () => attentionMaps(bert, 'a', { layer: 1 } as object),
      'ERR_ARGUMENT',
      /layers/,
    ],
    ['no topK', () => logitLens(llama, ids, { topK: 0 }), 'ERR_ARGUMENT', /topK/],
  ];
  it.each(wrong)('%s', async (_, call, code, message) => {
    await expect(call()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('a model that was disposed, and a call that was given up', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(attentionMaps(bert, 'a', { signal })).rejects.toThrow('enough');
    const gone = await load(tinyBert);
    gone.dispose();
    await expect(attentionMaps(gone, ids)).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });
});
