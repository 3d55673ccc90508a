/** How often each run of n items occurs. */
export type NGramCounts = ReadonlyMap<string, number>;

/** Counts runs of `order` items, joined by `glue`, which no item contains. */
export function countNGrams(items: readonly string[], order: number, glue: string): NGramCounts {
  const counts = new Map<string, number>();
  for (let i = 0; i + order <= items.length; i++) {
    const key = items.slice(i, i + order).join(glue);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/** How many runs of `found` are in `expected` too, each as often as it is there at most. */
export function countMatches(found: NGramCounts, expected: NGramCounts): number {
  let matches = 0;
  for (const [key, count] of found) matches += Math.min(count, expected.get(key) ?? 0);
  return matches;
}

export function sumCounts(counts: NGramCounts): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}
