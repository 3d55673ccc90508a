import { HeddleError } from '../errors.js';
import { SymbolicDim } from '../graph/shape.js';
import { input } from '../graph/tensor.js';
import { l2Normalize, type Pooling, pool } from '../ops/index.js';
import type { TextGraph } from './request_batches.js';

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

/**
 * Pools the encoder's hidden states to one vector for each text, in the same plan.
 * @throws ERR_UNSUPPORTED where tokens would be weighed by their place behind a prompt that is left out.
 */
export function sentenceVectors(options: VectorOptions): TextGraph<Float32Array> {
  const { pooling, normalize, promptLength, width } = options;
  if (promptLength > 0 && pooling.includes('weightedMean')) {
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      'embed: the pooling weightedmean is not there for models with include_prompt: false',
    );
  }
  const splits = promptLength > 0;
  return {
    key: `embed ${pooling} ${normalize} ${promptLength} ${width}`,
    planKey: `embed ${pooling} ${normalize} ${splits}`,
    build({ lastHiddenState }, { offsets, count }) {
      const pooled = pooling.map((mode) =>
        // The first token is the first one of the prompt also where that is left out (models/Pooling.py there).
        splits && mode !== 'first'
          ? pool(lastHiddenState.tensor, partOffsets, parts, mode)
          : pool(lastHiddenState.tensor, offsets, count, mode),
      );
      const normalizes = normalize && pooled.length === 1;
      return Object.fromEntries(
        pooled.map((tensor, i) => [`vectors.${i}`, normalizes ? l2Normalize(tensor) : tensor]),
      );
    },
    inputs({ offsets }) {
      const bounds = partOffsetsOf(offsets, promptLength);
      return {
        feeds: { partOffsets: bounds },
        sizes: [
          [parts, bounds.length - 1],
          [partBounds, bounds.length],
        ],
      };
    },
    split(results, _, encodings) {
      const pooled = Object.values(results);
      return encodings.map((_, i) => {
        const vectors = pooled.map(({ data, shape: [count = 0, columns = 0] }) => {
          const row = count === encodings.length ? i : 2 * i + 1;
          return data.slice(row * columns, (row + 1) * columns);
        });
        return finish(vectors, normalize, width);
      });
    },
  };
}

/** Joins a text's vectors and cuts them; the plan has normalised a single one, but only in its full width. */
function finish(vectors: readonly Float32Array[], normalize: boolean, width: number): Float32Array {
  const [first] = vectors;
  if (vectors.length === 1 && first.length === width) return first;
  const joined = vectors.flatMap((vector) => Array.from(vector)).slice(0, width);
  const length = normalize ? Math.sqrt(joined.reduce((sum, v) => sum + v * v, 0)) : 1;
  return Float32Array.from(joined, (value) => value / Math.max(length, 1e-12));
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
