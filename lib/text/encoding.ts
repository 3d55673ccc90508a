/** What a tokenizer gives for one text or one pair of texts. */
export interface Encoding {
  ids: number[];
  /** Which of a pair's texts each id belongs to, as the model's embedding of types wants it. */
  typeIds: number[];
  /** [start, end) in UTF-16 units of the text an id stands for; [0, 0] for special tokens. */
  offsets: [start: number, end: number][];
  /** Whether ids were left out to keep `maxLength`. */
  overflowed: boolean;
}

/** The same in typed arrays, quick to make in number and to hand from thread to thread. */
export interface CompactEncoding {
  ids: Int32Array;
  typeIds: Int32Array;
  /** Start and end by turns, two numbers for each id; absent unless asked for. */
  offsets?: Int32Array;
  /** Which word of its text each id is a part of, −1 for special tokens; there where `offsets` are. */
  words?: Int32Array;
  overflowed: boolean;
}

export interface EncodeOptions {
  /** A second text. */
  pair?: string | undefined;
  /** Whether to put the model's special tokens around the text; default true. */
  addSpecialTokens?: boolean | undefined;
  /** At most so many ids, special tokens among them; the longer text of a pair is cut first. */
  maxLength?: number | undefined;
}

export function fromCompact(compact: Required<CompactEncoding>): Encoding {
  const offsets: [number, number][] = [];
  for (let i = 0; i < compact.offsets.length; i += 2) {
    offsets.push([compact.offsets[i]!, compact.offsets[i + 1]!]);
  }
  return {
    ids: Array.from(compact.ids),
    typeIds: Array.from(compact.typeIds),
    offsets,
    overflowed: compact.overflowed,
  };
}
