/** What a training step over packed sequences is fed, for conformance and benches. */

/** The inputs of packed sequences, under a name, and what a run feeds them. */
export class PackedInput {
  /** @param bounds one more than there are sequences; that of the source, for what attends to it. */
  constructor({ SymbolicDim, input }, name, bounds = new SymbolicDim('bounds')) {
    this.name = name;
    this.rows = new SymbolicDim(`${name} rows`);
    this.bounds = bounds;
    this.ids = input(`${name} ids`, [this.rows], 'int32');
    this.offsets = input(`${name} offsets`, [this.bounds], 'int32');
    this.positions = input(`${name} positions`, [this.rows], 'int32');
  }

  batch(sequences) {
    const lengths = sequences.map((ids) => ids.length);
    const offsets = [0];
    for (const length of lengths) offsets.push(offsets.at(-1) + length);
    return {
      feeds: {
        [`${this.name} ids`]: Int32Array.from(sequences.flat()),
        [`${this.name} offsets`]: Int32Array.from(offsets),
        [`${this.name} positions`]: Int32Array.from(sequences.flatMap((ids) => [...ids.keys()])),
      },
      sizes: new Map([
        [this.rows, offsets.at(-1)],
        [this.bounds, offsets.length],
      ]),
    };
  }
}

/** The mean cross-entropy of the rows whose label is none of −100. */
export class Loss {
  constructor({ input, ops }, logits, rows, smoothing) {
    this.weights = input('weights', [rows, 1], 'float32');
    const labels = input('labels', [rows], 'int32');
    const losses = ops.crossEntropy(logits, labels, { smoothing });
    this.tensor = ops.columnSums(losses, this.weights);
  }

  feeds(labels) {
    const all = labels.flat();
    const count = all.filter((label) => label >= 0).length;
    return {
      labels: Int32Array.from(all, (label) => Math.max(label, 0)),
      weights: Float32Array.from(all, (label) => (label < 0 ? 0 : 1 / count)),
    };
  }
}

/** The most of each size in any of the batches. */
export function capacitiesOf(batches) {
  const most = new Map();
  for (const { sizes } of batches) {
    for (const [dim, size] of sizes) most.set(dim, Math.max(size, most.get(dim) ?? 0));
  }
  return most;
}
