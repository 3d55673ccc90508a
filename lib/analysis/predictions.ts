/** What logits say: the likeliest ids, and how sure the model is. */
import { HeddleError, mismatch } from '../errors.js';
import { checkSizes } from '../graph/options.js';
import type { NdArray } from '../graph/run.js';
import { formatShape } from '../graph/shape.js';

export interface Prediction {
  /** The likeliest ids and their probabilities, best first; of equal ones the lower id. */
  readonly top: readonly { readonly id: number; readonly probability: number }[];
  /** Of the whole distribution, −Σ p ln p, nats. */
  readonly entropy: number;
}

/**
 * The softmax of each row of logits, in float64.
 * @param logits [rows, words]. @param topK so many ids, or all words where there are fewer.
 * @throws ERR_SHAPE; ERR_ENGINE for logits that are NaN.
 */
export function predictions({ data, shape }: NdArray, topK: number): Prediction[] {
  checkSizes('predictions', { topK });
  const [rows = 0, words = 0] = shape;
  if (shape.length !== 2 || words === 0 || data.length !== rows * words) {
    throw mismatch('ERR_SHAPE', 'predictions', '[rows, words]', formatShape(shape));
  }
  return Array.from({ length: rows }, (_, row) =>
    prediction(data.subarray(row * words, (row + 1) * words), topK),
  );
}

function prediction(logits: Float32Array, topK: number): Prediction {
  const best = largest(logits, topK);
  const greatest = logits[best[0]];
  // Entropy is ln Z − Σ p·(x − greatest), with Z the sum of e^(x − greatest).
  let [sum, weighted] = [0, 0];
  for (const logit of logits) {
    const below = logit - greatest;
    if (below === -Infinity) continue; // a word that cannot come
    const share = Math.exp(below);
    sum += share;
    weighted += share * below;
  }
  if (!Number.isFinite(sum)) {
    throw new HeddleError('ERR_ENGINE', 'predictions: expected logits that are numbers, found NaN');
  }
  return {
    top: best.map((id) => ({ id, probability: Math.exp(logits[id] - greatest) / sum })),
    entropy: Math.max(0, Math.log(sum) - weighted / sum),
  };
}

/** Ids of the greatest logits, in one pass: what is kept is short, and mostly not touched. */
function largest(logits: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    if (best.length === count && !(logits[id] > logits[best[count - 1]])) continue;
    let at = best.length;
    while (at > 0 && logits[id] > logits[best[at - 1]]) at--;
    best.splice(at, 0, id);
    if (best.length > count) best.pop();
  }
  return best;
}
