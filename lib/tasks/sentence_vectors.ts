import { HeddleError } from '../errors.js';
import { SymbolicDim } from '../graph/shape.js';
import { input, type Tensor } from '../graph/tensor.js';
import type { EncoderBatch } from '../models/encoder.js';
import type { PackedBatch } from '../models/encoder_inputs.js';
import type { EncoderRunner } from '../models/encoder_runner.js';
import { l2Normalize, type Pooling, pool } from '../ops/index.js';
import type { CompactEncoding } from '../text/encoding.js';

/** How a sentence vector is made of the last hidden states. */
export interface VectorOptions {
  /** More than one: their vectors one behind the other. */
  pooling: readonly Pooling[];
  normalize: boolean;
  /** First tokens of every text that are left out of the pooling, as sentence-transformers leaves out prompts. */
  promptLength: number;
  /** Dimensions kept, from the first on. */
  width: number;
}

/** The prompt and the rest of each text as segments of their own, for poolings that leave prompts out. */
const parts = new SymbolicDim('parts');
const partBounds = new SymbolicDim('parts + 1');
const partOffsets = input('partOffsets', [partBounds], 'int32');

/** Pools the encoder's hidden states to one vector for each text, in the same plan. */
export class SentenceVectors {
  private readonly key: string;

  /** @throws ERR_UNSUPPORTED where tokens would be weighed by their place behind a prompt that is left out. */
  constructor(
    private readonly runner: EncoderRunner,
    private readonly options: VectorOptions,
  ) {
    const { pooling, normalize, promptLength } = options;
    if (promptLength > 0 && pooling.includes('weightedMean')) {
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        'embed: the pooling weightedmean is not there for models with include_prompt: false',
      );
    }
    this.key = `embed ${pooling} ${normalize} ${promptLength > 0}`;
  }

  async run(
    encodings: readonly CompactEncoding[],
    signal: AbortSignal | undefined,
  ): Promise<Float32Array[]> {
    const batch = packEncodings(this.runner, encodings);
    const offsets = partOffsetsOf(batch.offsets, this.options.promptLength);
    const results = await this.runner.run(
      batch,
      this.key,
      ({ lastHiddenState }, inputs) => this.graph(lastHiddenState.tensor, inputs),
      {
        signal,
        feeds: { partOffsets: offsets },
        sizes: [
          [parts, offsets.length - 1],
          [partBounds, offsets.length],
        ],
      },
    );
    const pooled = Object.values(results);
    return encodings.map((_, i) => {
      const vectors = pooled.map(({ data, shape: [count = 0, width = 0] }) => {
        const row = count === encodings.length ? i : 2 * i + 1;
        return data.slice(row * width, (row + 1) * width);
      });
      return this.finish(vectors);
    });
  }

  private graph(hidden: Tensor, { offsets, count }: EncoderBatch): Record<string, Tensor> {
    const { pooling, normalize, promptLength } = this.options;
    const pooled = pooling.map((mode) =>
      // The first token is the first one of the prompt also where that is left out (models/Pooling.py there).
      promptLength > 0 && mode !== 'first'
        ? pool(hidden, partOffsets, parts, mode)
        : pool(hidden, offsets, count, mode),
    );
    const normalizes = normalize && pooled.length === 1;
    return Object.fromEntries(
      pooled.map((tensor, i) => [`vectors.${i}`, normalizes ? l2Normalize(tensor) : tensor]),
    );
  }

  /** Joins a text's vectors and cuts them; the plan has normalised a single one, but only in its full width. */
  private finish(vectors: readonly Float32Array[]): Float32Array {
    const { normalize, width } = this.options;
    const [first] = vectors;
    if (vectors.length === 1 && first.length === width) return first;
    const joined = vectors.flatMap((vector) => Array.from(vector)).slice(0, width);
    const length = normalize ? Math.sqrt(joined.reduce((sum, v) => sum + v * v, 0)) : 1;
    return Float32Array.from(joined, (value) => value / Math.max(length, 1e-12));
  }
}

/** Two segments for each one: its first `length` rows, or what there is of them, and the others. */
function partOffsetsOf(offsets: Int32Array, length: number): Int32Array {
  const bounds = new Int32Array(2 * offsets.length - 1);
  for (let i = 0; i + 1 < offsets.length; i++) {
    bounds[2 * i + 1] = Math.min(offsets[i] + length, offsets[i + 1]);
    bounds[2 * i + 2] = offsets[i + 1];
  }
  return bounds;
}

/** Joins the tokens of texts into one batch. */
function packEncodings(
  { encoder }: EncoderRunner,
  encodings: readonly CompactEncoding[],
): PackedBatch {
  const offsets = new Int32Array(encodings.length + 1);
  encodings.forEach(({ ids }, i) => {
    offsets[i + 1] = offsets[i] + ids.length;
  });
  const rows = offsets[encodings.length];
  const [ids, typeIds] = [new Int32Array(rows), new Int32Array(rows)];
  const [positionIds, columns] = [new Int32Array(rows), new Int32Array(rows)];
  encodings.forEach((encoding, i) => {
    const at = offsets[i];
    ids.set(encoding.ids, at);
    if (encoder.limits.typeVocabSize > 1) typeIds.set(encoding.typeIds, at);
    positionIds.set(encoder.positionIds(Array.from(encoding.ids)), at);
    encoding.ids.forEach((_, column) => {
      columns[at + column] = column;
    });
  });
  return { ids, typeIds, positionIds, columns, offsets };
}
