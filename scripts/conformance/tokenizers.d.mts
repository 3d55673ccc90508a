import type { Tokenizer } from '../../lib/text/tokenizer.js';

export interface TokenizerResult {
  tokenizer: string;
  name: string;
  /** What differs; absent where the case passed. */
  error?: string;
}

export function runTokenizers(
  load: (folder: string) => Promise<Tokenizer>,
  folder: string,
  names?: readonly string[],
): AsyncGenerator<TokenizerResult>;
