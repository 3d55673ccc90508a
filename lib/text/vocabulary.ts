import { mismatch } from '../errors.js';
import { describe, idLimit, isId, isObject } from './tokenizer_json.js';

/** The place of a trie where every walk begins. */
export const root = 0;

/** Slots that may be taken of so many that there are, before a trie gets larger. */
const fullest = 0.75;

/** Nodes that a trie has room for at first, for each token: most vocabularies have two, and making it again takes long. */
const usualNodes = 2.2;

/**
 * The tokens of a model: from id to token an array, from token to id a trie over UTF-16 units, in which
 * tokens are also found at any place of a text without cutting candidates out of it.
 *
 * The trie is one open-addressed hash table of (node, unit), and a node is the slot its entry lies in:
 * ten bytes a slot, in three arrays.
 */
export class Vocabulary {
  /** Token by id; ids may have gaps. */
  readonly tokens: string[] = [];
  /** The longest token, in UTF-16 units. */
  readonly longest: number;
  /** Parent + 1 of the node in a slot; 0 where there is none. Slot 0 is the root's, which has no parent. */
  private parents = new Int32Array(0);
  private units = new Uint16Array(0);
  private ids = new Int32Array(0);
  private shift = 32;
  private nodes = 0;

  /** @param ids of the tokens, of several of one token the last; default: their places. */
  constructor(tokens: readonly string[], ids: ArrayLike<number> = Int32Array.from(tokens.keys())) {
    let longest = 1;
    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i]!;
      this.tokens[ids[i]!] = token;
      longest = Math.max(longest, token.length);
    }
    this.longest = longest;
    let bits = 8;
    while (usualNodes * tokens.length > fullest * 2 ** bits) bits++;
    while (!this.fill(tokens, ids, bits)) bits++;
  }

  private fill(tokens: readonly string[], ids: ArrayLike<number>, bits: number): boolean {
    const slots = 2 ** bits;
    this.parents = new Int32Array(slots);
    this.parents[root] = -1;
    this.units = new Uint16Array(slots);
    this.ids = new Int32Array(slots).fill(-1);
    this.shift = 32 - bits;
    this.nodes = 0;
    for (let number = 0; number < tokens.length; number++) {
      const token = tokens[number]!;
      let node = root;
      for (let i = 0; i < token.length; i++) {
        node = this.grown(node, token.charCodeAt(i));
        if (this.nodes > fullest * slots) return false;
      }
      this.ids[node] = ids[number]!;
    }
    return true;
  }

  private grown(node: number, unit: number): number {
    const slot = this.slotOf(node, unit);
    if (this.parents[slot] === 0) {
      this.parents[slot] = node + 1;
      this.units[slot] = unit;
      this.nodes++;
    }
    return slot;
  }

  /** The slot of a node's child, or the empty one where it would lie. */
  private slotOf(node: number, unit: number): number {
    const { parents, units } = this;
    const hash = Math.imul(Math.imul(node + 1, 0x9e3779b1) ^ unit, 0x85ebca6b);
    let slot = hash >>> this.shift;
    for (let parent = parents[slot]!; parent !== 0; parent = parents[slot]!) {
      if (parent === node + 1 && units[slot] === unit) return slot;
      slot = slot + 1 === parents.length ? 0 : slot + 1;
    }
    return slot;
  }

  /** The node one unit further; `root` where no token goes on so. */
  next(node: number, unit: number): number {
    const slot = this.slotOf(node, unit);
    return this.parents[slot] === 0 ? root : slot;
  }

  /**
   * The node at the end of a text that begins some token; `root` for any other text.
   * @param from the node of what stands before the text. @param first where in it the text begins.
   */
  walk(text: string, from = root, first = 0): number {
    let node = from;
    for (let i = first; i < text.length; i++) {
      node = this.next(node, text.charCodeAt(i));
      if (node === root) return root;
    }
    return node;
  }

  /** The id of the token that ends at a node, or -1. */
  idAt(node: number): number {
    return this.ids[node]!;
  }

  get(token: string): number | undefined {
    const node = this.walk(token);
    const id = node === root && token !== '' ? -1 : this.ids[node]!;
    return id === -1 ? undefined : id;
  }
}

/** An object of tokens to ids. @throws ERR_FORMAT */
export function readVocabulary(vocab: unknown, where: string): Vocabulary {
  if (!isObject(vocab)) {
    throw mismatch('ERR_FORMAT', `${where}: vocab`, 'an object of tokens to ids', describe(vocab));
  }
  const tokens = Object.keys(vocab); // of so many members, Object.entries takes four times as long
  const ids = new Int32Array(tokens.length);
  for (let i = 0; i < tokens.length; i++) {
    const id = vocab[tokens[i]!];
    if (!isId(id)) {
      throw mismatch(
        'ERR_FORMAT',
        `${where}: the id of '${tokens[i]}'`,
        `an integer from 0 to ${idLimit - 1}`,
        describe(id),
      );
    }
    ids[i] = id;
  }
  return new Vocabulary(tokens, ids);
}
