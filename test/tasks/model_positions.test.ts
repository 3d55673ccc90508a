import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bfloat16FromBits } from '../../lib/graph/half_precision.js';
import { alibiSlopes } from '../../lib/layers/index.js';
import { relativeBucket } from '../../lib/ops/index.js';
import { load } from '../../lib/tasks/load.js';
import { modelPositions } from '../../lib/tasks/model_positions.js';
import { readTensors } from '../../scripts/conformance/models.mjs';
import { fixture, tinyFolder } from './tiny_model.js';

const configOf = async (folder: string) =>
  JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
const positionsOf = async (folder: string) => {
  using model = await load(folder);
  return modelPositions(model);
};

describe('modelPositions', () => {
  it('reads a learned table', async () => {
    const folder = fixture('models/bert/a');
    const tensors = readTensors(await readFile(join(folder, 'model.safetensors')));
    const name = [...tensors.keys()].find((key) => key.endsWith('position_embeddings.weight'));
    const { data, shape } = tensors.get(name as string) as { data: Float32Array; shape: number[] };
    const width = shape[1];
    const row = (i: number) => data.subarray(i * width, (i + 1) * width);
    const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i], 0);
    const cosine = (a: Float32Array, b: Float32Array) =>
      dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    const { encodings, windows } = await positionsOf(folder);
    expect(encodings.map(({ kind, layers }) => ({ kind, layers }))).toEqual([
      { kind: 'learned', layers: [] },
    ]);
    const [{ distances, curves }] = encodings;
    expect(distances).toEqual(Array.from({ length: shape[0] / 2 }, (_, i) => i));
    for (const distance of [0, 3, 20]) {
      const pairs = Array.from({ length: shape[0] - distance }, (_, i) =>
        cosine(row(i), row(i + distance)),
      );
      expect(curves[0][distance]).toBeCloseTo(pairs.reduce((a, b) => a + b) / pairs.length, 5);
    }
    expect(windows).toEqual([0, 1].map(() => ({ before: null, after: null })));
  });

  it('reads rotary angles, of each kind of layer', async () => {
    const folder = fixture('models/modernbert/mlm');
    const config = await configOf(folder);
    const { encodings, windows } = await positionsOf(folder);
    expect(encodings.map(({ kind, layers }) => ({ kind, layers }))).toEqual([
      { kind: 'rotary', layers: [0] },
      { kind: 'rotary', layers: [1, 2] },
    ]);
    const size = config.hidden_size / config.num_attention_heads;
    const bases = [
      config.rope_parameters?.full_attention?.rope_theta ?? config.global_rope_theta,
      config.rope_parameters?.sliding_attention?.rope_theta ?? config.local_rope_theta,
    ];
    bases.forEach((base, i) => {
      const angles = Array.from({ length: size / 2 }, (_, k) => base ** ((-2 * k) / size));
      for (const distance of [0, 1, 9]) {
        const mean =
          angles.reduce((sum, angle) => sum + Math.cos(angle * distance), 0) / angles.length;
        expect(encodings[i].curves[0][distance]).toBeCloseTo(mean, 5);
      }
    });
    expect(windows[0]).toEqual({ before: null, after: null });
    expect(windows[1].before).toBeGreaterThan(0);
    expect(windows[1].before).toBe(windows[1].after);
  });

  it('reads windows of decoders', async () => {
    const { windows } = await positionsOf(fixture('models/gemma2/1'));
    expect(windows).toEqual([
      { before: 7, after: 0 },
      { before: null, after: 0 },
      { before: 7, after: 0 },
    ]);
  });

  it("reads MPNet's bias by buckets", async () => {
    const folder = fixture('models/mpnet/a');
    const tensors = readTensors(await readFile(join(folder, 'model.safetensors')));
    const name = [...tensors.keys()].find((key) => key.endsWith('relative_attention_bias.weight'));
    const { data, shape } = tensors.get(name as string) as { data: Float32Array; shape: number[] };
    const [buckets, heads] = shape;
    const { encodings } = await positionsOf(folder);
    expect(encodings.map(({ kind }) => kind)).toEqual(['learned', 'relative']);
    const { distances, curves, layers } = encodings[1];
    expect(layers).toEqual([0, 1]);
    expect(curves).toHaveLength(heads);
    distances.forEach((distance, i) => {
      const bucket = relativeBucket(distance, buckets, true, 128);
      expect(curves[1][i]).toBe(data[bucket * heads + 1]);
    });
  });

  it("reads ALiBi's slopes", async () => {
    const from = fixture('models/falcon/3');
    const folder = await tinyFolder({ from, config: { alibi: true }, tokenizer: false });
    const { num_attention_heads: heads } = await configOf(from);
    const { encodings } = await positionsOf(folder);
    const { kind, distances, curves, layers } = encodings[0];
    expect([kind, layers]).toEqual(['alibi', [0, 1]]);
    const near = distances.indexOf(-8);
    const slopes = curves.map((curve) => -curve[near] / 8);
    // Scaled like the scores, and rounded to bfloat16, as the model was trained.
    alibiSlopes(heads).forEach((slope, head) => {
      expect(slopes[head] / slopes[0]).toBeGreaterThan((slope / alibiSlopes(heads)[0]) * 0.9);
      expect(slopes[head] / slopes[0]).toBeLessThan((slope / alibiSlopes(heads)[0]) * 1.1);
    });
  });

  it("reads DeBERTa's vectors of distances in each layer, the second time as well", async () => {
    const folder = fixture('models/deberta-v2/base');
    const file = await readFile(join(folder, 'model.safetensors'));
    const length = Number(file.readBigUInt64LE());
    const header = JSON.parse(file.toString('utf8', 8, 8 + length));
    const tensor = (name: string) => {
      const [from, to] = header[name].data_offsets;
      return Float32Array.from({ length: (to - from) / 2 }, (_, i) =>
        bfloat16FromBits(file.readUInt16LE(8 + length + from + 2 * i)),
      );
    };
    const { hidden_size: width, position_buckets: span } = await configOf(folder);
    const table = tensor('encoder.rel_embeddings.weight');
    const weight = tensor('encoder.layer.0.attention.self.key_proj.weight');
    const bias = tensor('encoder.layer.0.attention.self.key_proj.bias');
    /** The first layer's key of a distance, key − query; those below half of the buckets have one each. */
    const key = (distance: number) =>
      Array.from(bias, (start, i) => {
        let sum = start;
        for (let k = 0; k < width; k++) {
          sum += (weight[i * width + k] ?? 0) * (table[(span - distance) * width + k] ?? 0);
        }
        return sum;
      });
    const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
    const cosine = (a: number[], b: number[]) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

    using model = await load(folder);
    const found = await modelPositions(model);
    const vectors = found.encodings.filter(({ kind }) => kind === 'disentangled');
    expect(vectors.map(({ layers }) => layers)).toEqual([[0], [1]]);
    const [first] = vectors;
    for (const distance of [-3, -2, -1, 0, 1, 2, 3]) {
      const at = first?.distances.indexOf(distance) ?? -1;
      expect(first?.curves[0]?.[at]).toBeCloseTo(cosine(key(distance), key(0)), 4);
    }
    expect(await modelPositions(model)).toEqual(found);
  });
});
