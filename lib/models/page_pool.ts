/** Which pages of a cache are in use, and by how many; and which hold the beginning of a text that may come again. */

/** A whole page of ids whose keys and values are known, after those of its parent. */
export interface PrefixPage {
  readonly id: number;
  readonly page: number;
  readonly key: string;
}

/** Where chains of prefix pages begin: pages computed in different ways have different roots. */
export const rootOf = (variant: number): number => -1 - variant;

export class PagePool {
  private readonly references: Int32Array;
  private readonly vacant: number[];
  /** By parent and ids; least recently used first. */
  private readonly prefixes = new Map<string, PrefixPage>();
  private readonly prefixOfPage = new Map<number, PrefixPage>();
  private prefixIds = 0;

  constructor(readonly pages: number) {
    this.references = new Int32Array(pages);
    this.vacant = Array.from({ length: pages }, (_, i) => pages - 1 - i);
  }

  /** Pages that `take` could give now. */
  get available(): number {
    let idle = 0;
    for (const { page } of this.prefixes.values()) if (this.references[page] === 0) idle++;
    return this.vacant.length + idle;
  }

  /** Pages that some sequence refers to. */
  get inUse(): number {
    return this.pages - this.available;
  }

  /** A page for the caller alone, undefined where there is none: a vacant one, else one whose prefix nobody has used for longest. */
  take(): number | undefined {
    const page = this.vacant.pop() ?? this.dropOldestPrefix();
    if (page !== undefined) this.references[page] = 1;
    return page;
  }

  retain(page: number): void {
    this.references[page]++;
  }

  /** A page that nobody refers to any more is vacant, unless a text may come again that begins with it. */
  release(page: number): void {
    this.references[page]--;
    if (this.references[page] === 0 && !this.prefixOfPage.has(page)) this.vacant.push(page);
  }

  isShared(page: number): boolean {
    return this.references[page] > 1;
  }

  /** The page that holds these ids after those of `parent`, which is then the most recently used. */
  findPrefix(parent: number, ids: readonly number[]): PrefixPage | undefined {
    const key = prefixKey(parent, ids);
    const found = this.prefixes.get(key);
    if (found) {
      this.prefixes.delete(key);
      this.prefixes.set(key, found);
    }
    return found;
  }

  /** Notes that a page holds these ids; another that already does is kept. @returns the id that children of it have as parent. */
  addPrefix(parent: number, ids: readonly number[], page: number): number {
    const key = prefixKey(parent, ids);
    const known = this.prefixes.get(key);
    if (known) return known.id;
    const prefix = { id: this.prefixIds++, page, key };
    this.prefixes.set(key, prefix);
    this.prefixOfPage.set(page, prefix);
    return prefix.id;
  }

  private dropOldestPrefix(): number | undefined {
    for (const { page, key } of this.prefixes.values()) {
      if (this.references[page] > 0) continue;
      this.prefixes.delete(key);
      this.prefixOfPage.delete(page);
      return page;
    }
    return undefined;
  }
}

const prefixKey = (parent: number, ids: readonly number[]): string => `${parent}:${ids.join()}`;
