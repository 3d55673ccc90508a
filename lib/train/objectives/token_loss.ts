import { HeddleError } from '../../errors.js';
import type { NdArray } from '../../graph/run.js';
import type { Dim } from '../../graph/shape.js';
import { input, type Tensor } from '../../graph/tensor.js';
import { columnSums, crossEntropy } from '../../ops/index.js';
import type { Fed } from '../packed_inputs.js';

/** A row that nothing is asked of. */
export const noLabel = -1;

/** The weighted sum of rows' cross-entropies against labels, which are run-time inputs. */
export class LabelLoss {
  readonly loss: Tensor;

  /** @param logits float32 [rows, classes]. @param smoothing of labels (Szegedy et al. 2016, section 7). */
  constructor(
    readonly logits: Tensor,
    rows: Dim,
    smoothing = 0,
  ) {
    const labels = input('labels', [rows], 'int32');
    const weights = input('weights', [rows, 1], 'float32');
    this.loss = columnSums(crossEntropy(logits, labels, { smoothing }), weights);
  }

  /** @param labels of each row, or `noLabel`. @param total by what the sum is divided. */
  fill(fed: Fed, labels: readonly number[], total: number): Fed {
    const feeds = {
      ...fed.feeds,
      labels: Int32Array.from(labels, (label) => Math.max(0, label)),
      weights: Float32Array.from(labels, (label) => (label === noLabel ? 0 : 1 / total)),
    };
    return { feeds, sizes: fed.sizes };
  }
}

/** How many groups of rows have their greatest logit at the label in each row that has one. */
export function countRight(
  { data, shape }: NdArray,
  labels: readonly (readonly number[])[],
): number {
  const classes = shape[1] ?? 0;
  let row = 0;
  let right = 0;
  for (const group of labels) {
    let isRight = true;
    for (const label of group) {
      const from = row++ * classes;
      if (label === noLabel) continue;
      const logits = data.subarray(from, from + classes);
      const wanted = logits[label] ?? Number.NaN;
      isRight &&= logits.every((logit, i) => logit < wanted || i === label);
    }
    if (isRight) right++;
  }
  return right;
}

/** Throws ERR_INPUT for ids that the model has no embeddings for, and for more of them than it has positions. */
export function checkIds(
  ids: readonly number[],
  limits: { vocabSize: number; maxLength: number },
): void {
  if (ids.length > limits.maxLength) {
    const message = `expected at most ${limits.maxLength} ids, the positions of the model, found ${ids.length}`;
    throw new HeddleError('ERR_INPUT', message);
  }
  const wrong = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < limits.vocabSize));
  if (wrong < 0) return;
  const message = `id ${wrong + 1}: expected a whole number below ${limits.vocabSize}, found ${ids[wrong]}`;
  throw new HeddleError('ERR_INPUT', message);
}
