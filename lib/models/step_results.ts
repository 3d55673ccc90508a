import type { NdArray } from '../graph/run.js';
import { blockColumns, logitRow } from '../ops/logit_blocks.js';
import type { RowPlan } from './step_graph.js';

/** What each item wants of a step's rows. */
export function resultsOf(
  { logits, best, blocks }: Record<string, NdArray>,
  rows: readonly RowPlan[],
  vocabSize: number,
): Float32Array[] {
  const { data, shape } = best ?? blocks ?? logits;
  const width = shape[1];
  let at = 0;
  return rows.map(({ wanted, wantsLogits }) => {
    const own = data.subarray(at * width, (at + wanted) * width);
    at += wanted;
    if (!blocks || typeof wantsLogits === 'object') return own;
    if (wantsLogits === 'best') return bestOf(own, vocabSize);
    return withoutBlocks(own, width, vocabSize);
  });
}

function withoutBlocks(rows: Float32Array, width: number, vocabSize: number): Float32Array {
  if (rows.length === width) return rows.subarray(0, vocabSize);
  const count = rows.length / width;
  const logits = new Float32Array(count * vocabSize);
  for (let i = 0; i < count; i++) {
    logits.set(rows.subarray(i * width, i * width + vocabSize), i * vocabSize);
  }
  return logits;
}

/** The highest of a row of `logitBlocks` as [id, logit], as the op `argmax` has it. */
function bestOf(row: Float32Array, vocabSize: number): Float32Array {
  const { values, greatest, sums } = logitRow(row, vocabSize);
  // NaN and +∞ are told apart by the row alone.
  const isOdd = sums.some(Number.isNaN);
  let found = 0;
  for (let block = 1; block < greatest.length; block++) {
    if (greatest[block] > greatest[found]) found = block;
  }
  const first = isOdd ? 0 : found * blockColumns;
  let best = first;
  const end = isOdd ? vocabSize : Math.min(first + blockColumns, vocabSize);
  for (let id = first; id < end && !Number.isNaN(values[best]); id++) {
    if (!(values[id] <= values[best])) best = id;
  }
  return Float32Array.of(best, values[best]);
}
