import type { IncrementalDecoder } from './incremental_decoder.js';
import { StopStrings } from './stop_strings.js';

/** The text of ids as a model makes them, up to the first of some strings. */
export class GeneratedText {
  private readonly stops: StopStrings;

  constructor(
    private readonly decoder: IncrementalDecoder,
    stops: readonly string[],
  ) {
    this.stops = new StopStrings(stops);
  }

  /** Whether one of the strings has come: nothing follows. */
  get stopped(): boolean {
    return this.stops.stopped;
  }

  /** The text that is certain with this id; often none. @throws ERR_INPUT for an id that is no token. */
  push(id: number): string {
    return this.stops.push(this.decoder.push(id));
  }

  /** What was held back. */
  finish(): string {
    return this.stops.push(this.decoder.finish()) + this.stops.finish();
  }
}
