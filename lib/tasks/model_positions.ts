import { HeddleError } from '../errors.js';
import { checkOptions } from '../graph/options.js';
import { inRecordedOrder } from '../graph/program.js';
import type { NdArray } from '../graph/run.js';
import { sourceNode, type Tensor, tensor } from '../graph/tensor.js';
import type { EncoderBatch, EncoderOutput } from '../models/encoder.js';
import type { TextEncoder } from '../models/text_encoder.js';
import { embedding, rope } from '../ops/index.js';
import { inspectable } from './inspected_text.js';
import type { Model } from './model.js';
import type { TextGraph } from './request_batches.js';

/** Something by which a model tells positions, by the distance of two of them. */
export interface PositionalEncoding {
  /**
   * `learned`: a table added to the words, as the mean cosine of two of its rows. `rotary`: queries and keys are turned, as the mean
   * cosine of the angles. `relative` and `alibi`: a number added to the scores, for each head. `disentangled`: a vector of each
   * distance that contents are multiplied with (He et al. 2021, "DeBERTa", section 3.1), as its cosine with that of distance 0.
   */
  readonly kind: 'learned' | 'rotary' | 'relative' | 'alibi' | 'disentangled';
  /** Layers that have it; none where it is a part of the embeddings. */
  readonly layers: readonly number[];
  /** Of keys from their query, in positions; negative ones lie before it. */
  readonly distances: readonly number[];
  /** Values at these distances: one curve, or one for each head. */
  readonly curves: readonly (readonly number[])[];
}

export interface ModelPositions {
  readonly encodings: readonly PositionalEncoding[];
  /** Of each layer: positions that a query sees before and after its own; null where all. */
  readonly windows: readonly { readonly before: number | null; readonly after: number | null }[];
}

/** Positions that are looked at, where the model has so many. */
const most = 256;

/**
 * How a model tells where a token stands: read off the graph that runs it, and computed by its nodes.
 * @throws ERR_UNSUPPORTED for a model without attention.
 */
export async function modelPositions(
  model: Model,
  options: { signal?: AbortSignal } = {},
): Promise<ModelPositions> {
  const what = 'modelPositions';
  checkOptions(what, options, ['signal']);
  const read = inspectable(what, model);
  const { encoder } = read;
  if (!encoder.outputNames.includes('attentions.0')) {
    const message = `${what}: expected a model with attention, found ${model.architecture}`;
    throw new HeddleError('ERR_UNSUPPORTED', message, { found: model.architecture });
  }
  const count = Math.min(most, encoder.maxLength);
  // The last id is no family's padding, which some do not count as a position.
  const ids = new Int32Array(count).fill(encoder.limits.vocabSize - 1);
  const graph: TextGraph<Record<string, NdArray>> = {
    key: what,
    planKey: what,
    build: (outputs, batch) => {
      const found = findPositions(outputs, batch);
      findings.set(encoder, found);
      // A model without positions still has something to run.
      return { ...found.tensors, last: (outputs.lastHiddenState as EncoderOutput).tensor };
    },
    split: (results) => [results],
  };
  const encoding = { ids, typeIds: new Int32Array(count), overflowed: false };
  const [results = {}] = await read.runEncodings(graph, [encoding], options.signal);
  const { places = [], windows = [] } = findings.get(encoder) ?? {};
  const encodings = places.map(({ name, kind, layers }) => {
    const { data, shape } = results[name] ?? { data: new Float32Array(0), shape: [0, 0] };
    return { kind, layers, ...curvesOf[kind](data, shape, count) };
  });
  return { encodings, windows };
}

interface Findings extends Pick<ModelPositions, 'windows'> {
  readonly tensors: Record<string, Tensor>;
  readonly places: readonly { name: string; kind: PositionalEncoding['kind']; layers: number[] }[];
}

/** Of graphs that are made once for each model. */
const findings = new WeakMap<TextEncoder, Findings>();

function findPositions(outputs: Record<string, EncoderOutput>, batch: EncoderBatch): Findings {
  const tensors: Record<string, Tensor> = {};
  const places: { name: string; kind: PositionalEncoding['kind']; layers: number[] }[] = [];
  const windows: ModelPositions['windows'][number][] = [];
  const known = new Map<Tensor, number[]>();
  const keep = (origin: Tensor, kind: PositionalEncoding['kind'], make: () => Tensor): number[] => {
    const layers = known.get(origin) ?? [];
    if (!known.has(origin)) {
      const name = `${kind} ${places.length}`;
      tensors[name] = make();
      places.push({ name, kind, layers });
      known.set(origin, layers);
    }
    return layers;
  };
  for (const value of inRecordedOrder([(outputs.lastHiddenState as EncoderOutput).tensor])) {
    const node = sourceNode(value);
    if (node?.op === 'embedding' && node.operands[1] === batch.positionIds) {
      const table = node.operands[0] as Tensor;
      keep(table, 'learned', () => embedding(table, batch.positionIds));
    }
    if (node?.op !== 'attention') continue;
    const layer = windows.length;
    const {
      left,
      right,
      bias: kind,
    } = node.attributes as { left: number; right: number; bias: string };
    windows.push({ before: left < 0 ? null : left, after: right < 0 ? null : right });
    const [q, , , , , , bias, , relativeKeys, relativeQueries, buckets] = node.operands;
    const turn = q && sourceNode(q);
    if (turn?.op === 'rope') {
      const [, positions, fine, coarse] = turn.operands as Tensor[];
      keep(fine as Tensor, 'rotary', () =>
        turned(batch, positions, fine, coarse, turn.attributes),
      ).push(layer);
    }
    const vectors = relativeKeys ?? relativeQueries;
    if (vectors && buckets) {
      keep(vectors, 'disentangled', () => embedding(vectors, buckets)).push(layer);
    }
    if (bias) keep(bias, kind === 'relative' ? 'relative' : 'alibi', () => bias).push(layer);
  }
  return { tensors, places, windows };
}

/** (1, 0) in each plane, turned by each position: cosines and then sines, [rows, 2·angles]. */
function turned(
  batch: EncoderBatch,
  positions: Tensor | undefined,
  fine: Tensor | undefined,
  coarse: Tensor | undefined,
  attributes: object,
): Tensor {
  const width = fine?.shape[1] as number;
  const planes = Float32Array.from({ length: width }, (_, i) => (i < width / 2 ? 1 : 0));
  const rows = embedding(tensor(planes, [1, width]), batch.typeIds); // all 0 in this run
  const { variants } = attributes as { variants: number };
  const tables = { fine: fine as Tensor, coarse: coarse as Tensor, variants };
  return rope(rows, positions as Tensor, { heads: 1, tables });
}

type Curves = Pick<PositionalEncoding, 'distances' | 'curves'>;

const range = (count: number, from = 0): number[] =>
  Array.from({ length: count }, (_, i) => from + i);

const curvesOf: Readonly<
  Record<
    PositionalEncoding['kind'],
    (data: Float32Array, shape: readonly number[], count: number) => Curves
  >
> = {
  learned(data, [rows = 0, width = 0]) {
    const unit = range(rows).map((row) => {
      const vector = data.subarray(row * width, (row + 1) * width);
      const length = Math.hypot(...vector) || 1;
      return vector.map((x) => x / length);
    });
    const cosine = (a = 0, b = 0): number =>
      unit[a]?.reduce((sum, x, i) => sum + x * (unit[b]?.[i] ?? 0), 0) ?? 0;
    // As far as half of the positions, so that every mean is of as many pairs at least.
    const distances = range(Math.ceil(rows / 2));
    const curve = distances.map((distance) => {
      const pairs = range(rows - distance);
      return pairs.reduce((sum, at) => sum + cosine(at, at + distance), 0) / pairs.length;
    });
    return { distances, curves: [curve] };
  },
  rotary(data, [rows = 0, width = 0]) {
    const half = width / 2;
    const curve = range(rows).map(
      (row) => data.subarray(row * width, row * width + half).reduce((sum, x) => sum + x, 0) / half,
    );
    return { distances: range(rows), curves: [curve] };
  },
  relative(data, [heads = 0, width = 0]) {
    const curves = range(heads).map((head) =>
      Array.from(data.subarray(head * width, (head + 1) * width)),
    );
    return { distances: range(width, -(width - 1) / 2), curves };
  },
  disentangled(data, [rows = 0, width = 0]) {
    const middle = (rows - 1) / 2;
    const vectors = range(rows).map((row) => data.subarray(row * width, (row + 1) * width));
    const own = vectors[middle] ?? new Float32Array(0);
    const curve = vectors.map((vector) => {
      const along = vector.reduce((sum, x, i) => sum + x * (own[i] ?? 0), 0);
      return along / (Math.hypot(...vector) * Math.hypot(...own) || 1);
    });
    return { distances: range(rows, -middle), curves: [curve] };
  },
  alibi(data, [heads = 0, , length = 0], count) {
    // A bias by the key's position; the query's is the last, and softmax does not tell a constant.
    const distances = range(count, 1 - count);
    const curves = range(heads).map((head) => {
      const row = data.subarray(head * length, head * length + count);
      return Array.from(row, (bias) => bias - (row[count - 1] ?? 0));
    });
    return { distances, curves };
  },
};
