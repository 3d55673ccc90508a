/** Options of tokenizers that programs of @huggingface/transformers hand to pipelines. */
import { mismatch } from '../errors.js';
import { describeValue } from '../graph/options.js';
import type { TextRunOptions, TruncationOptions } from './text_runs.js';

/** Taken without effect: nothing is padded, and results are what the task gives. */
export interface IgnoredOptions {
  padding?: boolean | string | null;
  return_tensor?: boolean;
}

export interface TokenizingOptions extends Omit<TruncationOptions, 'truncation'>, IgnoredOptions {
  /** `'error'` refuses texts with more tokens than are kept with ERR_INPUT. All else cuts them, as there. */
  truncation?: boolean | 'error' | null;
  /** Tokens kept of a text, up to what the model takes; default: all that it takes. */
  max_length?: number | null;
  /** Default: as the checkpoint wants it, mostly true. */
  add_special_tokens?: boolean;
}

export const ignoredNames = ['padding', 'return_tensor'] as const;

export const tokenizingNames = [
  'truncation',
  'onTruncate',
  'max_length',
  'add_special_tokens',
  ...ignoredNames,
] as const;

/** What `runTexts` takes of a pipeline's options. @throws ERR_ARGUMENT. */
export function runOptionsOf(
  task: string,
  given: TokenizingOptions & { signal?: AbortSignal | undefined },
): Pick<TextRunOptions, 'truncation' | 'onTruncate' | 'addSpecialTokens' | 'signal'> & {
  maxLength?: number;
} {
  const { truncation, max_length: maxLength, add_special_tokens: addSpecialTokens } = given;
  const { onTruncate, signal } = given;
  if (maxLength != null && !(Number.isSafeInteger(maxLength) && maxLength >= 1)) {
    const expected = 'a whole number from 1';
    throw mismatch('ERR_ARGUMENT', `${task}: max_length`, expected, describeValue(maxLength));
  }
  if (addSpecialTokens !== undefined && typeof addSpecialTokens !== 'boolean') {
    const found = describeValue(addSpecialTokens);
    throw mismatch('ERR_ARGUMENT', `${task}: add_special_tokens`, 'true or false', found);
  }
  const cuts = truncation === null || typeof truncation === 'boolean';
  return {
    ...(truncation === undefined || cuts ? {} : { truncation }),
    ...(onTruncate === undefined ? {} : { onTruncate }),
    ...(maxLength == null ? {} : { maxLength }),
    ...(addSpecialTokens === undefined ? {} : { addSpecialTokens }),
    ...(signal === undefined ? {} : { signal }),
  };
}
