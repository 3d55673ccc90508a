import { pagePositions } from '../ops/index.js';
import type { Sequence } from './decoder_engine.js';
import { type PagePool, rootOf } from './page_pool.js';

/** A sequence and the pages that hold the keys and values of its first ids. */
export class CachedSequence implements Sequence {
  readonly ids: number[];
  /** In order; each counts this sequence as one who refers to it. */
  pages: number[] = [];
  /** Ids whose keys and values are in the pages. */
  cached = 0;
  /** Pages that are noted as prefixes, and the id of the last of them. */
  private noted = 0;
  private parent = rootOf(0);
  /** Which variant of the angles the cached keys were turned by. */
  variant = 0;
  isBusy = false;
  isFreed = false;
  /** Number of the step that used it last. */
  lastStep = 0;

  constructor(
    private readonly pool: PagePool,
    ids: readonly number[] = [],
    /** How many ids there will be at least. */
    readonly expected = 0,
  ) {
    this.ids = [...ids];
  }

  fork(): CachedSequence {
    const copy = new CachedSequence(this.pool, this.ids, this.expected);
    for (const page of this.pages) this.pool.retain(page);
    copy.pages = [...this.pages];
    copy.cached = this.cached;
    copy.noted = this.noted;
    copy.parent = this.parent;
    copy.variant = this.variant;
    copy.lastStep = this.lastStep;
    return copy;
  }

  /** Gives the pages back: what was in them is computed again when it is needed. */
  drop(): void {
    for (const page of this.pages) this.pool.release(page);
    this.pages = [];
    this.cached = 0;
    this.noted = 0;
    this.parent = rootOf(this.variant);
  }

  /**
   * Where nothing is cached yet, refers to pages that begin another text alike. At least one id is left to compute.
   * @param ids of this sequence, and perhaps those that will follow.
   */
  adoptPrefix(ids: readonly number[], variant: number): void {
    if (this.cached > 0) return;
    this.variant = variant;
    this.parent = rootOf(variant);
    for (let at = 0; at + pagePositions < ids.length; at += pagePositions) {
      const found = this.pool.findPrefix(this.parent, ids.slice(at, at + pagePositions));
      if (!found) return;
      this.pool.retain(found.page);
      this.pages.push(found.page);
      this.parent = found.id;
      this.noted++;
      this.cached += pagePositions;
    }
  }

  /** Notes the pages that have become full, so that others who begin alike find them. */
  notePrefixes(): void {
    while ((this.noted + 1) * pagePositions <= this.cached) {
      const first = this.noted * pagePositions;
      const ids = this.ids.slice(first, first + pagePositions);
      this.parent = this.pool.addPrefix(this.parent, ids, this.pages[this.noted]);
      this.noted++;
    }
  }
}
