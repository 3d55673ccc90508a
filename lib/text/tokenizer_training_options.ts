import { mismatch } from '../errors.js';
import { describe } from './tokenizer_json.js';
import type { TokenizerProgress } from './training_pace.js';

export const tokenizerTypes = ['bpe', 'unigram'] as const;
export type TokenizerType = (typeof tokenizerTypes)[number];

export interface TrainTokenizerOptions {
  /** `bpe`: byte pairs (Sennrich et al. 2016); `unigram`: a unigram language model (Kudo 2018). Default `bpe`. */
  type?: TokenizerType;
  /** Tokens at most, special ones and bytes among them; default 8192. */
  vocabSize?: number;
  /**
   * Whether words are of characters, and those that are no tokens fall back to tokens of their bytes, as in SentencePiece; else
   * they are of bytes from the start, as in GPT-2. Unigram is always so; default for byte pairs: false.
   */
  byteFallback?: boolean;
  /** Special tokens, in the order of their ids; default `<unk>`, `<s>`, `</s>`; `<|endoftext|>` where words are of bytes. */
  specialTokens?: readonly string[];
  /** How texts are normalised; default: not at all. */
  normalization?: 'NFC' | 'NFD' | 'NFKC' | 'NFKD';
  /** Whether a text's first word is written as one inside it, with a space in front; default: where there is byte fallback. */
  addPrefixSpace?: boolean;
  /** How often two tokens must stand together to become one, for byte pairs; default 2. */
  minFrequency?: number;
  /** The part of the text that characters which are tokens make up, where there is byte fallback; default 0.9995. */
  characterCoverage?: number;
  signal?: AbortSignal;
  onProgress?: (progress: TokenizerProgress) => void;
}

const optionNames = [
  'type',
  'vocabSize',
  'byteFallback',
  'specialTokens',
  'normalization',
  'addPrefixSpace',
  'minFrequency',
  'characterCoverage',
  'signal',
  'onProgress',
];

/** The options with their defaults. @throws ERR_ARGUMENT. */
export function settingsOf(options: TrainTokenizerOptions) {
  const where = 'trainTokenizer';
  const unknown = Object.keys(options).find((key) => !optionNames.includes(key));
  if (unknown !== undefined) {
    const expected = `only the options ${optionNames.join(', ')}`;
    throw mismatch('ERR_ARGUMENT', where, expected, describe(unknown));
  }
  const check = (name: string, given: unknown, expected: string, isRight: boolean): void => {
    if (!isRight) throw mismatch('ERR_ARGUMENT', `${where}: ${name}`, expected, describe(given));
  };
  const { type = 'bpe', vocabSize = 8192, byteFallback = type === 'unigram' } = options;
  check('type', type, tokenizerTypes.join(' or '), tokenizerTypes.includes(type));
  const isSize = Number.isInteger(vocabSize) && vocabSize > 0 && vocabSize <= 2 ** 20;
  check('vocabSize', vocabSize, 'a whole number from 1 to 2^20', isSize);
  check('byteFallback', byteFallback, 'true for unigram', type === 'bpe' || byteFallback === true);
  const { specialTokens: special = byteFallback ? ['<unk>', '<s>', '</s>'] : ['<|endoftext|>'] } =
    options;
  const areTokens =
    Array.isArray(special) &&
    special.every((token) => typeof token === 'string' && token !== '') &&
    new Set(special).size === special.length;
  check('specialTokens', special, 'different texts', areTokens);
  const hasUnknown = !byteFallback || special.length > 0;
  check('specialTokens', special, 'the token of what is unknown, and perhaps others', hasUnknown);
  const { normalization, addPrefixSpace = byteFallback, minFrequency = 2 } = options;
  const forms = ['NFC', 'NFD', 'NFKC', 'NFKD'];
  const isForm = normalization === undefined || forms.includes(normalization);
  check('normalization', normalization, forms.join(', '), isForm);
  const isFrequency = Number.isInteger(minFrequency) && minFrequency > 0;
  check('minFrequency', minFrequency, 'a whole number from 1', isFrequency);
  const { characterCoverage = 0.9995 } = options;
  const isCoverage = characterCoverage > 0 && characterCoverage <= 1;
  check('characterCoverage', characterCoverage, 'a number above 0, at most 1', isCoverage);
  const normalizer = normalization === undefined ? null : { type: normalization };
  return {
    type,
    vocabSize,
    byteFallback,
    special,
    addPrefixSpace,
    minFrequency,
    characterCoverage,
    normalizer,
  };
}
