/**
 * How alike the vectors of a text's tokens are. Geshkovski, Letrouit, Polyanskiy and Rigollet, "A mathematical perspective on
 * transformers" (2023), see tokens as particles on a sphere that attention draws together, and show it by the histogram of
 * their pairwise inner products, layer by layer.
 */
import { mismatch } from '../errors.js';
import { checkOptions, checkSizes, describeValue } from '../graph/options.js';
import type { NdArray } from '../graph/run.js';
import { formatShape } from '../graph/shape.js';
import { DisjointSets } from './disjoint_sets.js';
import { checkNdArray } from './rows.js';

export interface TokenSimilarity {
  /** Mean inner product of two tokens' directions; 1 where there is one token alone. */
  readonly mean: number;
  /** Pairs of tokens by their inner product, in bins of equal width from −1 to 1. */
  readonly histogram: readonly number[];
  /** Components of the graph that joins every two tokens whose inner product is at least the threshold. */
  readonly clusters: number;
}

export interface TokenSimilarityOptions {
  /** Inner product from which on two tokens are joined; default 0.9. */
  threshold?: number;
  /** Of the histogram, at most 10,000; default 40. */
  bins?: number;
}

const mostBins = 10_000;

export const similarityNames = ['threshold', 'bins'] as const;

/**
 * Similarity of the rows of a matrix, by the cosine of the angle between each two. A row of zeros has no direction: its inner
 * products are 0.
 * @param hidden [n, width], or [1, n, width] as `forward` gives it.
 * @throws ERR_SHAPE for other shapes; ERR_INPUT for what is not finite; ERR_ARGUMENT.
 */
export function tokenSimilarity(
  hidden: NdArray,
  options: TokenSimilarityOptions = {},
): TokenSimilarity {
  checkOptions('tokenSimilarity', options, similarityNames);
  const { threshold = 0.9, bins = 40 } = options;
  checkSizes('tokenSimilarity', { bins });
  if (bins > mostBins) {
    throw mismatch('ERR_ARGUMENT', 'tokenSimilarity: bins', `at most ${mostBins}`, `${bins}`);
  }
  if (!(typeof threshold === 'number' && threshold >= -1 && threshold <= 1)) {
    const found = describeValue(threshold);
    throw mismatch('ERR_ARGUMENT', 'tokenSimilarity: threshold', 'a number from −1 to 1', found);
  }
  const directions = directionsOf(checkNdArray(hidden, 'tokenSimilarity'));
  const histogram = new Array<number>(bins).fill(0);
  const groups = new DisjointSets(directions.length);
  let sum = 0;
  for (let i = 0; i < directions.length; i++) {
    for (let j = i + 1; j < directions.length; j++) {
      const product = Math.min(1, Math.max(-1, innerProduct(directions[i], directions[j])));
      sum += product;
      histogram[Math.min(bins - 1, Math.floor(((product + 1) / 2) * bins))]++;
      if (product >= threshold) groups.join(i, j);
    }
  }
  const pairs = (directions.length * (directions.length - 1)) / 2;
  return { mean: pairs > 0 ? sum / pairs : 1, histogram, clusters: groups.count };
}

/** Rows of length 1, in float64. */
function directionsOf({ data, shape }: NdArray): Float64Array[] {
  const [rows = 0, width = 0] = shape.length === 3 ? shape.slice(1) : shape;
  const isOneText = shape.length === 2 || (shape.length === 3 && shape[0] === 1);
  if (!isOneText || rows === 0) {
    const expected = 'vectors of one text, [1, n, width] or [n, width]';
    throw mismatch('ERR_SHAPE', 'tokenSimilarity', expected, formatShape(shape));
  }
  return Array.from({ length: rows }, (_, row) => {
    const vector = Float64Array.from(data.subarray(row * width, (row + 1) * width));
    const length = Math.sqrt(innerProduct(vector, vector));
    if (!Number.isFinite(length)) {
      throw mismatch('ERR_INPUT', `tokenSimilarity: [${row}]`, 'finite numbers', `${length}`);
    }
    return length === 0 ? vector : vector.map((x) => x / length);
  });
}

function innerProduct(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
