/** The options of `generate` and `stream`, and what each may be. */
import { mismatch } from '../errors.js';
import { checkOptions, describeValue } from '../graph/options.js';

/** How a text is continued. What is left out is as the checkpoint's generation_config.json says, else as is said here. */
export interface GenerateOptions {
  /** The most ids that are made; default 256. Fewer where the model's context ends before. */
  maxNewTokens?: number;
  /** No end before so many ids, the prompt's among them. Has no effect beside `minNewTokens`. */
  minLength?: number;
  /** No end before so many new ids. */
  minNewTokens?: number;
  /** Whether tokens are drawn; default: whether one of the five options below it is given. */
  doSample?: boolean;
  /** Divides the logits; default 1; 0: the best token is taken. */
  temperature?: number;
  /** Only so many of the most probable tokens; 0: all; default 50. */
  topK?: number;
  /** The fewest most probable tokens that hold this much probability together; default 1. */
  topP?: number;
  /** Tokens with at least this share of the best one's probability; default 0. */
  minP?: number;
  /** Locally typical tokens that hold this much probability together; default 1. */
  typicalP?: number;
  /** The same seed, prompt and options give the same ids; default: another one each time. */
  seed?: number;
  /** Of ids in prompt and answer; default 1. */
  repetitionPenalty?: number;
  /** Of new ids, for each use; default 0. */
  frequencyPenalty?: number;
  /** Of new ids that were used; default 0. */
  presencePenalty?: number;
  /** No so many ids in a row twice; 0: any. */
  noRepeatNgramSize?: number;
  /** By id: what is added to its logit. */
  logitBias?: Readonly<Record<number, number>>;
  /** What is added to the logit of a sequence's last id after the ids before it. */
  sequenceBias?: readonly (readonly [ids: readonly number[], bias: number])[];
  /** Sequences of ids that never come. */
  badWordsIds?: readonly (readonly number[])[];
  suppressTokens?: readonly number[];
  /** Not as the first new id. */
  beginSuppressTokens?: readonly number[];
  /** The second id of a sequence that begins with one (of encoder–decoders: after the start token). */
  forcedBosTokenId?: number | null;
  /** The last id of a sequence that its length ends. */
  forcedEosTokenId?: number | readonly number[] | null;
  /** Ids that end a sequence; null: none does. Default: the checkpoint's. */
  eosTokenId?: number | readonly number[] | null;
  /** Texts that end a sequence. Neither they nor what comes after them are in `text`; ids are all there. */
  stop?: string | readonly string[];
  /** Beam search with so many beams; default 1: none. */
  numBeams?: number;
  /** The exponent of the length that divides a beam's score; default 1. */
  lengthPenalty?: number;
  /** When beam search ends: with as many ends as beams (true), when no better is likely (false) or possible ('never'). */
  earlyStopping?: boolean | 'never';
  /** Sequences for each prompt: the best beams, or as many draws; default 1. */
  numReturnSequences?: number;
  /** Log-probabilities of the ids, with so many alternatives at each place; true: 0. */
  logprobs?: number | boolean;
  signal?: AbortSignal;
  /** Called after each step with the new ids so far, of all sequences. */
  onProgress?: (progress: { tokens: number }) => void;
}

/** The options that a generation_config.json has too. */
export type GenerationDefaults = Omit<
  GenerateOptions,
  'signal' | 'onProgress' | 'stop' | 'seed' | 'logprobs' | 'logitBias'
> & {
  /** Ids in all, where no number of new ones is given. */
  maxLength?: number;
};

interface Kind {
  readonly expected: string;
  readonly fits: (value: unknown) => boolean;
}

const isCount = (value: unknown, min: number): boolean =>
  Number.isInteger(value) && (value as number) >= min && (value as number) < 2 ** 31;

const count = (min: number): Kind => ({
  expected: `a whole number from ${min}`,
  fits: (value) => isCount(value, min),
});

/** Each takes a cache of its own: more than anybody searches among, and less than what a slip of the hand may ask for. */
const sequences: Kind = {
  expected: 'a whole number from 1 to 1024',
  fits: (value) => isCount(value, 1) && (value as number) <= 1024,
};

const number = (min: number, max = Infinity): Kind => ({
  expected: max === Infinity ? `a number from ${min}` : `a number from ${min} to ${max}`,
  fits: (value) =>
    typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max,
});

const finite: Kind = {
  expected: 'a number',
  fits: (value) => typeof value === 'number' && Number.isFinite(value),
};

const truth: Kind = { expected: 'true or false', fits: (value) => typeof value === 'boolean' };

const isId = (value: unknown): boolean => isCount(value, 0);
const isIdList = (value: unknown): boolean => Array.isArray(value) && value.every(isId);

const ids: Kind = { expected: 'an array of ids', fits: isIdList };

const idsOrNull: Kind = {
  expected: 'an id, an array of ids, or null',
  fits: (value) => value === null || isId(value) || (isIdList(value) && !isEmpty(value)),
};

const isEmpty = (value: unknown): boolean => (value as readonly unknown[]).length === 0;

/** Each option with what it may be. */
export const kinds: { readonly [name in keyof (GenerateOptions & GenerationDefaults)]-?: Kind } = {
  maxNewTokens: count(1),
  maxLength: count(1),
  minLength: count(0),
  minNewTokens: count(0),
  doSample: truth,
  temperature: number(0),
  topK: count(0),
  topP: { expected: 'a number above 0, up to 1', fits: (value) => isShare(value) },
  minP: number(0, 1),
  typicalP: { expected: 'a number above 0, up to 1', fits: (value) => isShare(value) },
  seed: {
    expected: 'a whole number from 0 to 2^53 − 1',
    fits: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  },
  repetitionPenalty: {
    expected: 'a number above 0',
    fits: (value) => finite.fits(value) && (value as number) > 0,
  },
  frequencyPenalty: finite,
  presencePenalty: finite,
  noRepeatNgramSize: count(0),
  logitBias: {
    expected: 'an object of ids to numbers',
    fits: (value) =>
      typeof value === 'object' &&
      value !== null &&
      !Array.isArray(value) &&
      Object.entries(value).every(([id, bias]) => isId(Number(id)) && isBias(bias)),
  },
  sequenceBias: {
    expected: 'an array of [ids, bias]',
    fits: (value) =>
      Array.isArray(value) &&
      value.every(
        (each) => Array.isArray(each) && isIdList(each[0]) && !isEmpty(each[0]) && isBias(each[1]),
      ),
  },
  badWordsIds: {
    expected: 'an array of arrays of ids',
    fits: (value) =>
      Array.isArray(value) && value.every((word) => isIdList(word) && !isEmpty(word)),
  },
  suppressTokens: ids,
  beginSuppressTokens: ids,
  forcedBosTokenId: {
    expected: 'an id or null',
    fits: (value) => value === null || isId(value),
  },
  forcedEosTokenId: idsOrNull,
  eosTokenId: idsOrNull,
  stop: {
    expected: 'a text or an array of texts, none empty',
    fits: (value) => {
      const texts: unknown[] = Array.isArray(value) ? value : [value];
      return texts.every((text) => typeof text === 'string' && text !== '');
    },
  },
  numBeams: sequences,
  lengthPenalty: finite,
  earlyStopping: {
    expected: "true, false or 'never'",
    fits: (value) => typeof value === 'boolean' || value === 'never',
  },
  numReturnSequences: sequences,
  logprobs: {
    expected: 'a whole number from 0, or true',
    fits: (value) => typeof value === 'boolean' || isCount(value, 0),
  },
  signal: { expected: 'an AbortSignal', fits: (value) => value instanceof AbortSignal },
  onProgress: { expected: 'a function', fits: (value) => typeof value === 'function' },
};

function isShare(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value <= 1;
}

/** −∞ forbids; +∞ and NaN would leave no distribution. */
function isBias(value: unknown): boolean {
  return typeof value === 'number' && value < Infinity;
}

const optionNames = Object.keys(kinds).filter(
  (name) => name !== 'maxLength',
) as (keyof GenerateOptions)[];

/**
 * The options that were given, each one known and of its kind; what is undefined counts as left out.
 * @throws ERR_ARGUMENT naming the option.
 */
export function checkGenerateOptions(where: string, options: GenerateOptions): GenerateOptions {
  checkOptions(where, options, optionNames);
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of entries) {
    const kind = kinds[name as keyof GenerateOptions];
    if (kind.fits(value)) continue;
    throw mismatch('ERR_ARGUMENT', `${where}: ${name}`, kind.expected, describeValue(value));
  }
  return Object.fromEntries(entries);
}
