/** What a tokenizer of @huggingface/transformers gives when it is called: ids of several texts, padded to one length. */
import { HeddleError, mismatch } from '../errors.js';
import { checkChoice, checkOptions, describeValue } from '../graph/options.js';
import type { CompactEncoding } from '../text/encoding.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { ResultTensor } from './result_tensor.js';
import { textList } from './text_runs.js';

export interface TokenizerCallOptions {
  /** A second text, or one for each text. */
  text_pair?: string | readonly string[] | null;
  /** Default true. */
  add_special_tokens?: boolean;
  /** `true` pads to the longest, `'max_length'` to `max_length`. Default false. */
  padding?: boolean | 'max_length' | 'longest';
  /** Whether what is longer than `max_length` is cut, the longer text of a pair first; default: only where `max_length` is given without padding. */
  truncation?: boolean | 'longest_first' | null;
  /** Default, and at most: what the tokenizer's files say. */
  max_length?: number | null;
  /** Whether the result is made of tensors; default true. */
  return_tensor?: boolean;
  /** Default: whether the tokenizer's class does. */
  return_token_type_ids?: boolean | null;
}

const optionNames = [
  'text_pair',
  'add_special_tokens',
  'padding',
  'truncation',
  'max_length',
  'return_tensor',
  'return_token_type_ids',
] as const;

/** Names as there. */
export interface BatchEncoding<T = ResultTensor<BigInt64Array>> {
  input_ids: T;
  /** 1 where a token counts, 0 for padding. */
  attention_mask: T;
  token_type_ids: T;
}

type Rows = Record<keyof BatchEncoding, number[]>;

/** What `encodeBatch` needs to know beside the call. */
export interface BatchDefaults {
  /** The length that the tokenizer's files allow; Infinity where they say none. */
  longest: number;
  paddingSide: 'left' | 'right';
  padId: number | undefined;
  givesTypeIds: boolean;
}

/**
 * @param texts one, or several.
 * @returns [texts, length] each as int64 tensors; or arrays, for a single text its own alone.
 * @throws ERR_INPUT for what is no text, for none, and for rows of several lengths that should be a tensor; ERR_ARGUMENT.
 */
export function encodeBatch(
  tokenizer: Tokenizer,
  texts: string | readonly string[],
  options: TokenizerCallOptions,
  defaults: BatchDefaults,
): BatchEncoding | BatchEncoding<number[] | number[][]> {
  checkOptions('tokenizer', options, optionNames);
  const { add_special_tokens: addSpecialTokens = true, return_tensor = true } = options;
  const { padding, truncates, maxLength } = lengthsOf(options, defaults.longest);
  const encodings = inputsOf(texts, options.text_pair).map(([text, pair]) =>
    tokenizer.encodeCompact(text, {
      addSpecialTokens,
      ...(pair === undefined ? {} : { pair }),
      ...(truncates && maxLength !== Infinity ? { maxLength } : {}),
    }),
  );
  const longest = encodings.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  const length = padding === 'longest' ? Math.min(longest, maxLength) : padding ? maxLength : 0;
  const rows = encodings.map((encoding) => paddedRow(encoding, length, tokenizer, defaults));
  const keys: (keyof BatchEncoding)[] = ['input_ids', 'attention_mask'];
  if (options.return_token_type_ids ?? defaults.givesTypeIds) keys.push('token_type_ids');
  const isList = Array.isArray(texts);
  const give = (key: keyof BatchEncoding): unknown => {
    const own = rows.map((row) => row[key]);
    if (return_tensor) return tensorOf(own);
    return isList ? own : own[0];
  };
  return Object.fromEntries(keys.map((key) => [key, give(key)])) as unknown as BatchEncoding;
}

/** Lengths as @huggingface/transformers takes them from its options. */
function lengthsOf(
  options: TokenizerCallOptions,
  longest: number,
): { padding: 'longest' | 'max_length' | undefined; truncates: boolean; maxLength: number } {
  const { padding: pads = false, truncation: cuts = null, max_length: given = null } = options;
  checkChoice('tokenizer: padding', pads, [false, true, 'longest', 'max_length'] as never);
  checkChoice('tokenizer: truncation', cuts, [null, false, true, 'longest_first'] as never);
  if (given !== null && !(Number.isSafeInteger(given) && given >= 1)) {
    const expected = 'a whole number from 1';
    throw mismatch('ERR_ARGUMENT', 'tokenizer: max_length', expected, describeValue(given));
  }
  const padding = pads === true ? 'longest' : pads === false ? undefined : pads;
  const isUsed = given !== null && !(cuts === null && padding === 'longest');
  const maxLength = Math.min(isUsed ? given : longest, longest);
  if (padding === 'max_length' && maxLength === Infinity) {
    const expected = 'a max_length, as the tokenizer has none of its own';
    throw mismatch('ERR_ARGUMENT', "tokenizer: padding: 'max_length'", expected, 'none');
  }
  const truncates = cuts === null ? given !== null && padding === undefined : cuts !== false;
  return { padding, truncates, maxLength };
}

/** Texts with what belongs to each. */
function inputsOf(
  texts: string | readonly string[],
  pairs: string | readonly string[] | null | undefined,
): [text: string, pair?: string][] {
  const list = textList('tokenizer', texts);
  if (list.length === 0) throw mismatch('ERR_INPUT', 'tokenizer', 'at least one text', 'none');
  if (pairs === null || pairs === undefined) return list.map((text) => [text]);
  const second = textList('tokenizer: text_pair', pairs);
  if (Array.isArray(pairs) !== Array.isArray(texts) || second.length !== list.length) {
    const expected = Array.isArray(texts) ? `an array of ${list.length} texts` : 'a text';
    throw mismatch('ERR_INPUT', 'tokenizer: text_pair', expected, describeValue(pairs));
  }
  return list.map((text, i) => [text, second[i]]);
}

function paddedRow(
  { ids, typeIds }: CompactEncoding,
  length: number,
  tokenizer: Tokenizer,
  { paddingSide, padId }: BatchDefaults,
): Rows {
  const missing = Math.max(0, length - ids.length);
  if (missing > 0 && padId === undefined) {
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      `tokenizer: padding: ${tokenizer.path} has no token to pad with; call it with one text at a time`,
    );
  }
  const filled = (values: Iterable<number>, padding: number): number[] => {
    const rest = new Array<number>(missing).fill(padding);
    return paddingSide === 'left' ? [...rest, ...values] : [...values, ...rest];
  };
  return {
    input_ids: filled(ids, padId ?? 0),
    attention_mask: filled(new Array<number>(ids.length).fill(1), 0),
    token_type_ids: filled(typeIds, 0),
  };
}

function tensorOf(rows: readonly number[][]): ResultTensor<BigInt64Array> {
  const [{ length }] = rows;
  const other = rows.find((row) => row.length !== length);
  if (other) {
    throw new HeddleError(
      'ERR_INPUT',
      `tokenizer: expected texts of one length for a tensor, found ${length} and ${other.length} tokens; ` +
        'call it with padding: true and truncation: true, or with return_tensor: false',
    );
  }
  return ResultTensor.of(BigInt64Array.from(rows.flat(), BigInt), [rows.length, length]);
}
