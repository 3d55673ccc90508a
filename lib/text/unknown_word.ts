import { HeddleError } from '../errors.js';

/** The error of a text that a vocabulary without an unknown token cannot write. */
export function unknownWord(word: string, where: string): HeddleError {
  const found = JSON.stringify(word.length > 40 ? `${word.slice(0, 40)}…` : word);
  return new HeddleError(
    'ERR_INPUT',
    `encode: expected text of the vocabulary's tokens, found ${found}; ${where} has no unknown token`,
    { found, where },
  );
}
