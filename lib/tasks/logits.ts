/** Graphs of a model's logits, and what is made of them. Sums are float64: the numbers are few. */
import type { TextGraph } from './request_batches.js';

/** One vector of logits for each text. */
export const textLogits: TextGraph<Float32Array> = {
  key: 'logits of texts',
  planKey: 'logits',
  build: ({ logits }) => ({ logits: logits.tensor }),
  split({ logits: { data, shape } }, _, encodings) {
    const width = shape[1] ?? 0;
    return encodings.map((_, i) => data.slice(i * width, (i + 1) * width));
  },
};

/** Outputs that have a row for each token, by name; every text gets its part: [tokens, width], row by row. */
export function tokenOutputs<K extends string>(
  names: readonly K[],
): TextGraph<Record<K, Float32Array>> {
  return {
    key: `tokens ${names}`,
    planKey: `tokens ${names}`,
    build: (outputs) => Object.fromEntries(names.map((name) => [name, outputs[name].tensor])),
    split(results, { offsets, ids }, encodings) {
      return encodings.map((_, i) => {
        const parts = names.map((name) => {
          const { data } = results[name];
          const width = ids.length === 0 ? 0 : data.length / ids.length;
          return [name, data.slice(offsets[i] * width, offsets[i + 1] * width)];
        });
        return Object.fromEntries(parts) as Record<K, Float32Array>;
      });
    },
  };
}

export function softmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const largest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const exponentials = values.map((value) => Math.exp(value - largest));
  const sum = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((value) => value / sum);
}

export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** Places of the largest numbers, the largest first, and of equal ones the first first. */
export function largest(values: ArrayLike<number>, count: number): number[] {
  const places = Array.from(values, (_, i) => i);
  places.sort((a, b) => values[b] - values[a] || a - b);
  return places.slice(0, count);
}

export function indexOfLargest(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
