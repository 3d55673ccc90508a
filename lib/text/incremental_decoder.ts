import type { Stage } from './decode_stages.js';

/**
 * The text of ids that come one by one. All that `push` and `finish` give, joined, is what `Tokenizer.decode` gives for
 * all ids; no character is ever given in parts, and U+FFFD only where that text has it. The cost of an id does not grow
 * with the text.
 */
export class IncrementalDecoder {
  /**
   * @param tokenOf the token of an id; undefined for one that is skipped.
   * @param stages anew for each text.
   */
  constructor(
    private readonly tokenOf: (id: number) => string | undefined,
    private readonly stages: readonly Stage[],
  ) {}

  /** The text that is certain with this id; often none. @throws ERR_INPUT for an id that is no token. */
  push(id: number): string {
    const token = this.tokenOf(id);
    return token === undefined ? '' : this.through([token], 0).join('');
  }

  /** What was held back. Nothing may come after it. */
  finish(): string {
    let text = '';
    this.stages.forEach((stage, index) => {
      text += this.through(stage.finish(), index + 1).join('');
    });
    return text;
  }

  private through(pieces: string[], from: number): string[] {
    let current = pieces;
    for (let at = from; at < this.stages.length; at++) {
      const stage = this.stages[at]!;
      current = current.flatMap((piece) => stage.push(piece));
    }
    return current;
  }
}
