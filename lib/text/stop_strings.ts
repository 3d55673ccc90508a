/**
 * Ends a text where one of some strings appears, however it is cut into pieces. What may be the beginning of one is held
 * back until it is none.
 */
export class StopStrings {
  private held = '';
  private found = false;
  private readonly longest: number;

  constructor(private readonly stops: readonly string[]) {
    this.longest = Math.max(0, ...stops.map(({ length }) => length));
  }

  /** Whether one has appeared. */
  get stopped(): boolean {
    return this.found;
  }

  /** The text that is certain to stand before any of the strings. */
  push(piece: string): string {
    if (this.found) return '';
    if (this.longest === 0) return piece;
    const text = this.held + piece;
    const places = this.stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    if (places.length > 0) {
      this.found = true;
      this.held = '';
      return text.slice(0, Math.min(...places));
    }
    const keep = this.beginningAtEnd(text);
    this.held = text.slice(text.length - keep);
    return text.slice(0, text.length - keep);
  }

  /** What was held back, where none has come. */
  finish(): string {
    const rest = this.held;
    this.held = '';
    return rest;
  }

  /** The length of the longest end of the text that one of the strings begins with. */
  private beginningAtEnd(text: string): number {
    for (let length = Math.min(this.longest - 1, text.length); length > 0; length--) {
      const end = text.slice(text.length - length);
      if (this.stops.some((stop) => stop.length > length && stop.startsWith(end))) return length;
    }
    return 0;
  }
}
