import { HeddleError } from '../errors.js';
import type { CompactEncoding } from '../text/encoding.js';
import type { Tokenizer } from '../text/tokenizer.js';

interface Specials {
  readonly ids: Int32Array;
  readonly typeIds: Int32Array;
}

/** Where a tokenizer puts its special tokens around two texts, for joining ids that were cut elsewhere. */
export class PairLayout {
  private readonly before: Specials;
  private readonly between: Specials;
  private readonly after: Specials;
  private readonly types: readonly [first: number, second: number];
  /** Whether a sequence begins with the token that stands for it as a whole. */
  readonly beginsWithClass: boolean;

  /** Encodes a pair, and finds in it what belongs to neither text. */
  constructor(tokenizer: Tokenizer) {
    const {
      ids,
      typeIds,
      words = new Int32Array(),
    } = tokenizer.encodeCompact('a', { pair: 'a' }, true);
    const places = Array.from(words.keys()).filter((i) => words[i] !== -1);
    const gap = places.findIndex((place, i) => place + 1 !== places[i + 1]);
    const [first, firstEnd] = [places[0] ?? 0, (places[gap] ?? 0) + 1];
    const [second, secondEnd] = [places[gap + 1] ?? ids.length, (places.at(-1) ?? 0) + 1];
    if (places.length < 2 || second >= ids.length) {
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `${tokenizer.path}: expected special tokens between the two texts of a pair, found none`,
      );
    }
    const part = (from: number, to: number): Specials => ({
      ids: ids.slice(from, to),
      typeIds: typeIds.slice(from, to),
    });
    this.before = part(0, first);
    this.between = part(firstEnd, second);
    this.after = part(secondEnd, ids.length);
    this.types = [typeIds[first], typeIds[second]];
    this.beginsWithClass = first > 0 && ids[0] === tokenizer.specialIds.cls;
  }

  get specials(): number {
    return this.before.ids.length + this.between.ids.length + this.after.ids.length;
  }

  /** Where the second text begins behind a first one of so many ids. */
  secondBegin(first: number): number {
    return this.before.ids.length + first + this.between.ids.length;
  }

  join(first: Int32Array, second: Int32Array): CompactEncoding {
    const { before, between, after, types } = this;
    const filled = (length: number, type: number): Int32Array => new Int32Array(length).fill(type);
    return {
      ids: concatenated(before.ids, first, between.ids, second, after.ids),
      typeIds: concatenated(
        before.typeIds,
        filled(first.length, types[0]),
        between.typeIds,
        filled(second.length, types[1]),
        after.typeIds,
      ),
      overflowed: false,
    };
  }
}

function concatenated(...arrays: readonly Int32Array[]): Int32Array {
  const result = new Int32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    result.set(array, at);
    at += array.length;
  }
  return result;
}
