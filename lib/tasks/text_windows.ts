import type { CompactEncoding } from '../text/encoding.js';
import type { Tokenizer } from '../text/tokenizer.js';
import type { EncoderModel } from './model.js';
import type { TextGraph } from './request_batches.js';
import { chunkTokens } from './text_runs.js';

/**
 * Windows of at most `room` tokens over `count` tokens, of which neighbours share `stride` (< room): as the Rust
 * tokenizers cut what overflows. The last one ends at the end; there is always one.
 */
export function textWindows(
  count: number,
  room: number,
  stride: number,
): [from: number, to: number][] {
  const windows: [from: number, to: number][] = [];
  for (let from = 0, to = 0; to < count || windows.length === 0; from += room - stride) {
    to = Math.min(from + room, count);
    windows.push([from, to]);
  }
  return windows;
}

/** Runs a graph on many windows, in chunks like those of `runTexts`. @throws what runs throw; `signal.reason`. */
export async function runWindows<R>(
  model: EncoderModel,
  graph: TextGraph<R>,
  windows: readonly CompactEncoding[],
  signal: AbortSignal | undefined,
): Promise<R[]> {
  const longest = windows.reduce((most, { ids }) => Math.max(most, ids.length), 1);
  const atOnce = Math.max(1, Math.floor(chunkTokens / longest));
  const runs: Promise<R[]>[] = [];
  for (let i = 0; i < windows.length; i += atOnce) {
    runs.push(model.runEncodings(graph, windows.slice(i, i + atOnce), signal));
  }
  return (await Promise.all(runs)).flat();
}

/** The special tokens that a tokenizer puts around one text, for windows of a text that was encoded without them. */
export class TextLayout {
  private readonly before: CompactEncoding;
  private readonly after: CompactEncoding;

  constructor(tokenizer: Tokenizer) {
    const encoding = tokenizer.encodeCompact('a', {}, true);
    const { ids, words = new Int32Array() } = encoding;
    const first = words.findIndex((word) => word !== -1);
    const isEmpty = first === -1;
    this.before = slice(encoding, 0, isEmpty ? ids.length : first);
    this.after = slice(encoding, isEmpty ? ids.length : words.findLastIndex((w) => w !== -1) + 1);
  }

  get specials(): number {
    return this.before.ids.length + this.after.ids.length;
  }

  /** The tokens from … to of a text, between the special ones. */
  window(text: CompactEncoding, from: number, to: number): CompactEncoding {
    const parts = [this.before, slice(text, from, to), this.after];
    const joined = (of: (part: CompactEncoding) => Int32Array | undefined): Int32Array =>
      Int32Array.from(parts.flatMap((part) => Array.from(of(part) ?? [])));
    return {
      ids: joined(({ ids }) => ids),
      typeIds: joined(({ typeIds }) => typeIds),
      offsets: joined(({ offsets }) => offsets),
      words: joined(({ words }) => words),
      overflowed: false,
    };
  }
}

function slice(encoding: CompactEncoding, from: number, to?: number): CompactEncoding {
  const { ids, typeIds, offsets, words } = encoding;
  return {
    ids: ids.slice(from, to),
    typeIds: typeIds.slice(from, to),
    offsets: offsets?.slice(2 * from, to === undefined ? undefined : 2 * to),
    words: words?.slice(from, to),
    overflowed: false,
  };
}
