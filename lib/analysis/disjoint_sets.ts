/** Items 0 to n − 1, each in a set of its own until sets are joined (Galler & Fischer 1964, with halved paths). */
export class DisjointSets {
  private readonly parents: Uint32Array;

  /** @param count of items, and of the sets there are. */
  constructor(public count: number) {
    this.parents = Uint32Array.from({ length: count }, (_, i) => i);
  }

  /** An item that stands for the set of this one. */
  find(item: number): number {
    let at = item;
    while (this.parents[at] !== at) {
      this.parents[at] = this.parents[this.parents[at]];
      at = this.parents[at];
    }
    return at;
  }

  join(a: number, b: number): void {
    const [left, right] = [this.find(a), this.find(b)];
    if (left === right) return;
    this.parents[right] = left;
    this.count--;
  }
}
