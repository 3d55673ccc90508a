/** What a head of attention does on a text, in a few numbers. */
import { mismatch } from '../errors.js';
import { checkChoice, checkOptions } from '../graph/options.js';
import type { NdArray } from '../graph/run.js';
import { formatShape } from '../graph/shape.js';
import { checkNdArray } from './rows.js';

/** Means over the queries of a text; p(j) is the weight that query i gives to key j. */
export interface HeadStatistics {
  /** −Σ p(j) ln p(j): 0 where a query looks at one token, the logarithm of their number where it looks at all alike. */
  readonly entropy: number;
  /** Σ p(j) |i − j|, in tokens. */
  readonly distance: number;
  /** Weight of the first token, which many heads rest on (Xiao et al. 2024, "attention sinks"). */
  readonly first: number;
  /** Weight of the query's own token. */
  readonly self: number;
  /** Weight of the token before it; the first query, which has none, is left out. */
  readonly previous: number;
}

/** Of entropies. */
export type EntropyUnit = 'nats' | 'bits';
/** Of the weights and of their sum, whatever they were computed in. */
const rounding = 1e-3;

export const entropyUnits: readonly EntropyUnit[] = ['nats', 'bits'];

/**
 * Statistics of each head of one layer on one text.
 * @param maps weights as `forward` gives them, [1, heads, n, n], or [heads, n, n]; each row a distribution over keys.
 * @throws ERR_SHAPE for other shapes, several texts among them; ERR_INPUT for weights that are not from 0 to 1, or rows that do not add up to 1;
 * ERR_ARGUMENT for what is no array of float32.
 */
export function attentionStatistics(
  maps: NdArray,
  options: { unit?: EntropyUnit } = {},
): HeadStatistics[] {
  checkOptions('attentionStatistics', options, ['unit']);
  const { unit = 'nats' } = options;
  checkChoice('attentionStatistics: unit', unit, entropyUnits);
  const { data, shape } = checkNdArray(maps, 'attentionStatistics');
  const [heads = 0, queries = 0, keys = 0] = shape.length === 4 ? shape.slice(1) : shape;
  const isOneText = shape.length === 3 || (shape.length === 4 && shape[0] === 1);
  if (!isOneText || queries !== keys) {
    const expected = 'weights of one text, [1, heads, n, n] or [heads, n, n]';
    throw mismatch('ERR_SHAPE', 'attentionStatistics', expected, formatShape(shape));
  }
  const size = queries * keys;
  return Array.from({ length: heads }, (_, head) =>
    headStatistics(
      data.subarray(head * size, (head + 1) * size),
      queries,
      unit === 'bits' ? Math.LN2 : 1,
    ),
  );
}

/** @param weights [n, n]. @param nats of one unit of entropy. */
function headStatistics(weights: Float32Array, n: number, nats: number): HeadStatistics {
  const sums = { entropy: 0, distance: 0, first: 0, self: 0, previous: 0 };
  for (let query = 0; query < n; query++) {
    const row = weights.subarray(query * n, (query + 1) * n);
    let sum = 0;
    for (let key = 0; key < n; key++) {
      const weight = row[key];
      if (!(weight >= 0 && weight <= 1 + rounding)) {
        const where = `attentionStatistics: [${query}][${key}]`;
        throw mismatch('ERR_INPUT', where, 'a weight from 0 to 1', `${weight}`);
      }
      sum += weight;
      if (weight === 0) continue;
      sums.entropy -= weight * Math.log(weight);
      sums.distance += weight * Math.abs(query - key);
    }
    if (!(Math.abs(sum - 1) <= rounding)) {
      const where = `attentionStatistics: [${query}]`;
      throw mismatch('ERR_INPUT', where, 'weights that add up to 1', `${sum}`);
    }
    sums.first += row[0];
    sums.self += row[query];
    if (query > 0) sums.previous += row[query - 1];
  }
  const mean = (sum: number, count = n): number => (count > 0 ? sum / count : 0);
  return {
    // A weight may be rounded to a little more than 1.
    entropy: Math.max(0, mean(sums.entropy) / nats),
    distance: mean(sums.distance),
    first: mean(sums.first),
    self: mean(sums.self),
    previous: mean(sums.previous, n - 1),
  };
}
