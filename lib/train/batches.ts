import { mismatch } from '../errors.js';
import { RandomStream } from './random_stream.js';

/** What random numbers are for: keys of their streams. Those of examples come after these. */
const uses = { shuffle: 1, examples: 16 } as const;

/** Where a run stands in its data: the next batch of a round through all examples. */
export interface DataPosition {
  readonly epoch: number;
  readonly batch: number;
}

export interface BatchOptions {
  /** Tokens of each example. */
  readonly sizes: readonly number[];
  /** The most tokens of a batch. */
  readonly tokens: number;
  /** The most examples of a batch; left out: any number. */
  readonly examples?: number | undefined;
  readonly seed: number;
  /** Whether a last batch of fewer examples than the others is left out. */
  readonly dropsLast?: boolean;
}

/**
 * Batches of examples' numbers within a budget of tokens: every epoch in another order, the same for the same seed. Examples
 * are taken as the shuffle brings them, so each has the same chance to stand beside any other; since rows are packed, their
 * different lengths cost nothing.
 */
export class Batches {
  private epoch = -1;
  private batches: readonly (readonly number[])[] = [];

  constructor(private readonly options: BatchOptions) {
    const { sizes, tokens } = options;
    const needed = options.dropsLast ? (options.examples ?? 1) : 1;
    if (sizes.length < needed) {
      throw mismatch('ERR_INPUT', 'data', `at least ${needed} examples`, `${sizes.length}`);
    }
    const long = sizes.findIndex((size) => size > tokens);
    if (long >= 0) {
      const expected = `at most the ${tokens} tokens of a batch (batchTokens)`;
      throw mismatch('ERR_INPUT', `data: example ${long + 1}`, expected, `${sizes[long]}`);
    }
  }

  /** The batch at a position, and the position after it. */
  at({ epoch, batch }: DataPosition): { examples: readonly number[]; next: DataPosition } {
    if (epoch !== this.epoch) {
      const { sizes, seed } = this.options;
      this.batches = this.cut(shuffled(sizes.length, seed, epoch));
      this.epoch = epoch;
    }
    const examples = this.batches[batch];
    if (!examples) {
      const expected = `a batch below ${this.batches.length}`;
      throw mismatch('ERR_INPUT', `position in epoch ${epoch}`, expected, `${batch}`);
    }
    const isLast = batch + 1 === this.batches.length;
    return {
      examples,
      next: isLast ? { epoch: epoch + 1, batch: 0 } : { epoch, batch: batch + 1 },
    };
  }

  private cut(order: Iterable<number>): number[][] {
    const { sizes, tokens, examples = Number.POSITIVE_INFINITY, dropsLast } = this.options;
    const batches = withinBudget(order, (i) => sizes[i] ?? 0, { tokens, examples });
    return dropsLast ? batches.filter(({ length }) => length === examples) : batches;
  }
}

/** Neighbours joined to groups of at most so many tokens and examples; what is too large by itself is a group. */
export function withinBudget<T>(
  items: Iterable<T>,
  sizeOf: (item: T) => number,
  { tokens, examples }: { tokens: number; examples: number },
): T[][] {
  const groups: T[][] = [];
  let open: T[] = [];
  let taken = 0;
  for (const item of items) {
    const size = sizeOf(item);
    if (open.length > 0 && (taken + size > tokens || open.length >= examples)) {
      groups.push(open);
      open = [];
      taken = 0;
    }
    open.push(item);
    taken += size;
  }
  if (open.length > 0) groups.push(open);
  return groups;
}

/** 0 … count − 1 in random order (Durstenfeld 1964, algorithm 235). */
function shuffled(count: number, seed: number, epoch: number): Uint32Array {
  const random = new RandomStream(seed, uses.shuffle, epoch);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const other = random.below(i + 1);
    const value = order[i] as number;
    order[i] = order[other] as number;
    order[other] = value;
  }
  return order;
}

/** The random numbers of an example, by its place in a step's batch. */
export const exampleStream = (seed: number, step: number, place: number): RandomStream =>
  new RandomStream(seed, uses.examples + place, step);
