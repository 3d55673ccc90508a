/**
 * SentencePiece's precompiled character map: a double-array trie (Aoe 1989, in the layout of Darts-clone)
 * from UTF-8 to places in a block of replacements, each ended by a zero byte.
 */
import { HeddleError } from '../errors.js';
import { type AlignedText, Rewriter, unitsAt } from './aligned_text.js';
import { CharacterSet } from './unicode.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** What may make a grapheme of more than one character: returns, marks, joiners, prefixes, Hangul, modifiers. */
const maybeCluster =
  /[\r\p{M}\p{Cf}\p{Emoji_Modifier}\p{Regional_Indicator}\u0d4e\u0e33\u0eb3\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff\uff9e\uff9f\u{11000}-\u{11fff}]/u;

/** Without the return, which makes one grapheme with a line feed. */
const plainAscii = /^[^\r\u0080-\uffff]*$/;

const rememberedGraphemes = 20_000;

/** Graphemes of so many bytes are taken character by character: a rule of the reference. */
const longGrapheme = 6;

/**
 * Replaces what the map knows. As in the reference, a short grapheme is looked up whole, and the
 * shortest part of its beginning that the map has stands for all of it: marks behind may get lost.
 *
 * @param charsmap in base64. @throws ERR_FORMAT
 */
export function precompiledNormalizer(
  charsmap: string,
  where: string,
): (source: AlignedText) => AlignedText {
  const map = new CharacterMap(charsmap, where);
  const remembered = new Map<string, string | undefined>();
  const replacement = (text: string): string | undefined => {
    let result = remembered.get(text);
    if (result === undefined && !remembered.has(text)) {
      if (remembered.size === rememberedGraphemes) remembered.clear();
      result = map.find(encoder.encode(text));
      remembered.set(text, result);
    }
    return result;
  };
  const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
  const mapped = new CharacterSet((character) => replacement(character) !== undefined);

  return (source) => {
    const { text } = source;
    const hasClusters = !plainAscii.test(text) && maybeCluster.test(text);
    if (!hasClusters && !hasAny(text, mapped)) return source;
    const rewriting = new Changes();
    const clusters: Iterable<string> = hasClusters ? segmentsOf(graphemes, text) : text;
    for (const grapheme of clusters) {
      const whole =
        grapheme.length < longGrapheme && Buffer.byteLength(grapheme) < longGrapheme
          ? replacement(grapheme)
          : undefined;
      if (whole !== undefined) {
        rewriting.replace(grapheme, whole);
        continue;
      }
      for (const character of grapheme) {
        const found = replacement(character);
        if (found === undefined) rewriting.keep(character);
        else rewriting.replace(character, found);
      }
    }
    return rewriting.applyTo(source);
  };
}

function* segmentsOf(segmenter: Intl.Segmenter, text: string): Generator<string> {
  for (const { segment } of segmenter.segment(text)) yield segment;
}

function hasAny(text: string, set: CharacterSet): boolean {
  for (let at = 0; at < text.length; at += unitsAt(text, at)) {
    if (set.has(text.codePointAt(at)!)) return true;
  }
  return false;
}

/**
 * The characters of the new text, each with its change: 1 for one that is put in, else it stands for a
 * character of the old text and, where the change is negative, for as many more.
 */
class Changes {
  private readonly characters: string[] = [];
  private readonly changes: number[] = [];
  private modified = false;

  keep(character: string): void {
    this.characters.push(character);
    this.changes.push(0);
  }

  /** Of a longer replacement the last characters are put in; of a shorter one the last stands for the rest. */
  replace(old: string, replacement: string): void {
    this.modified = true;
    const given = [...replacement];
    const more = given.length - [...old].length;
    for (const [i, character] of given.entries()) {
      this.characters.push(character);
      this.changes.push(i >= given.length - more ? 1 : 0);
    }
    if (more < 0 && this.changes.length > 0) this.changes[this.changes.length - 1]! += more;
  }

  applyTo(source: AlignedText): AlignedText {
    if (!this.modified) return source;
    const rewriter = new Rewriter(source);
    for (const [i, character] of this.characters.entries()) {
      const change = this.changes[i]!;
      if (change > 0) {
        rewriter.insert(character);
      } else {
        rewriter.replace(character);
        rewriter.skip(-change);
      }
    }
    return rewriter.finish();
  }
}

class CharacterMap {
  private readonly trie: Uint32Array;
  private readonly replacements: Uint8Array;

  constructor(charsmap: string, where: string) {
    const bytes = Buffer.from(charsmap, 'base64');
    const size = bytes.length < 4 ? -1 : bytes.readUInt32LE(0);
    if (size < 4 || size % 4 !== 0 || 4 + size > bytes.length) {
      const found = `${bytes.length} bytes of base64`;
      throw new HeddleError(
        'ERR_FORMAT',
        `${where}: precompiled_charsmap: expected a trie and its replacements, found ${found}`,
        { where, found },
      );
    }
    this.trie = Uint32Array.from({ length: size / 4 }, (_, i) => bytes.readUInt32LE(4 + 4 * i));
    this.replacements = bytes.subarray(4 + size);
  }

  /** The replacement of the shortest beginning of the key that the map has. */
  find(key: Uint8Array): string | undefined {
    const { trie } = this;
    let at = offsetOf(trie[0]!);
    for (const byte of key) {
      if (byte === 0) return undefined;
      at ^= byte;
      const unit = trie[at];
      // The label, whose highest bit says that the unit is a value.
      if (unit === undefined || (unit & 0x800000ff) !== byte) return undefined;
      at ^= offsetOf(unit);
      const hasValue = ((unit >>> 8) & 1) === 1;
      if (hasValue) return this.replacementAt((trie[at] ?? 0) & 0x7fffffff);
    }
    return undefined;
  }

  private replacementAt(place: number): string {
    const end = this.replacements.indexOf(0, place);
    return decoder.decode(this.replacements.subarray(place, end < 0 ? undefined : end));
  }
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
