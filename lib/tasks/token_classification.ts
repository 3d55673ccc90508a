import { HeddleError } from '../errors.js';
import { checkChoice, checkOptions } from '../graph/options.js';
import type { CompactEncoding } from '../text/encoding.js';
import type { Tokenizer } from '../text/tokenizer.js';
import {
  type AggregationStrategy,
  aggregationStrategies,
  type ClassifiedToken,
  entityOf,
  groupEntities,
  mergeWords,
} from './entity_groups.js';
import { expectHead, Labels } from './labels.js';
import { indexOfLargest, softmax, tokenOutputs } from './logits.js';
import type { EncoderModel } from './model.js';
import { type TruncationOptions, textList, truncationNames } from './text_runs.js';

export interface TokenClass {
  entity: string;
  score: number;
  /** Place of the token, special ones counted. */
  index: number;
  word: string;
  /** What it stands for in the text, in UTF-16 units. */
  start: number;
  end: number;
}

export interface EntityGroup {
  entity_group: string;
  score: number;
  word: string;
  start: number;
  end: number;
}

export interface TokenClassificationOptions extends TruncationOptions {
  /** Labels whose tokens are left out; default `['O']`. */
  ignore_labels?: readonly string[];
  /**
   * How tokens become entities. `none` (the default): not at all. `simple`: neighbours with the same tag. The others first make
   * the tokens of a word agree: on the label of the `first`, on the best of the `average`, or on that of the surest (`max`).
   */
  aggregation_strategy?: AggregationStrategy;
  signal?: AbortSignal;
}

type Grouped = TokenClassificationOptions & {
  aggregation_strategy: Exclude<AggregationStrategy, 'none'>;
};
type Single = TokenClassificationOptions & { aggregation_strategy?: 'none' };

export interface TokenClassificationCall {
  (text: string, options?: Single): Promise<TokenClass[]>;
  (texts: readonly string[], options?: Single): Promise<TokenClass[][]>;
  (text: string, options: Grouped): Promise<EntityGroup[]>;
  (texts: readonly string[], options: Grouped): Promise<EntityGroup[][]>;
}

const optionNames = [
  'ignore_labels',
  'aggregation_strategy',
  ...truncationNames,
  'signal',
] as const;
const task = 'token-classification';

export function tokenClassification(
  model: EncoderModel,
  tokenizer: Tokenizer,
): TokenClassificationCall {
  expectHead(model, task, 'tokenClassification');
  const labels = new Labels(model.config);
  const graph = tokenOutputs(['logits']);
  const call = async (
    texts: string | readonly string[],
    options: TokenClassificationOptions = {},
  ): Promise<unknown> => {
    checkOptions(task, options, optionNames);
    const { ignore_labels: ignored = ['O'], aggregation_strategy = 'none', ...run } = options;
    checkChoice(`${task}: aggregation_strategy`, aggregation_strategy, aggregationStrategies);
    checkLabels(textList(`${task}: ignore_labels`, ignored), labels.all);
    const list = textList(task, texts);
    const results: unknown[] = new Array(list.length);
    const settings = { ...run, offsets: true };
    await model.runTexts(task, graph, list, settings, ({ logits }, encoding, i) => {
      const tokens = tokensOf(tokenizer, labels, list[i], encoding, logits);
      results[i] =
        aggregation_strategy === 'none'
          ? tokens
              .filter(({ entity }) => !ignored.includes(entity))
              .map(({ scores, tokens: _, continues, ...shown }) => shown)
          : groupEntities(
              aggregation_strategy === 'simple'
                ? tokens
                : mergeWords(tokens, aggregation_strategy, labels),
              tokenizer,
            ).filter(({ entity_group: group }) => !ignored.includes(group));
    });
    return Array.isArray(texts) ? results : results[0];
  };
  return call as TokenClassificationCall;
}

/** The tokens of a text that are not special, each with its best label. */
function tokensOf(
  tokenizer: Tokenizer,
  labels: Labels,
  text: string,
  { ids, offsets, words }: CompactEncoding,
  logits: Float32Array,
): ClassifiedToken[] {
  const width = logits.length / (ids.length || 1);
  const tokens: ClassifiedToken[] = [];
  ids.forEach((id, index) => {
    if (words?.[index] === -1) return; // a special token that the tokenizer has added
    const scores = softmax(logits.subarray(index * width, (index + 1) * width));
    const [start, end] = [offsets?.[2 * index] ?? 0, offsets?.[2 * index + 1] ?? 0];
    const best = indexOfLargest(scores);
    const isUnknown = id === tokenizer.specialIds.unk;
    const token = isUnknown ? text.slice(start, end) : (tokenizer.idToToken(id) ?? '');
    tokens.push({
      entity: labels.of(best),
      score: scores[best],
      index,
      word: tokenizer.decode([id]),
      start,
      end,
      scores,
      tokens: [token],
      continues: !isUnknown && continuesWord(tokenizer, token, text, start, end),
    });
  });
  return tokens;
}

/**
 * Whether a token belongs to the word before it. As in Python's pipeline: with subword prefixes, where the token is longer or
 * shorter than what it stands for; else where no space is before it.
 */
function continuesWord(
  { subwordPrefix }: Tokenizer,
  token: string,
  text: string,
  start: number,
  end: number,
): boolean {
  if (subwordPrefix !== undefined) return [...token].length !== [...text.slice(start, end)].length;
  return start > 0 && !text.slice(start - 1, start + 1).includes(' ');
}

/** A misspelt label would leave nothing out. `O` is everybody's default, also of models without it. */
function checkLabels(ignored: readonly string[], known: readonly string[]): void {
  const names = new Set(['O', ...known, ...known.map(entityOf)]);
  const unknown = ignored.find((label) => !names.has(label));
  if (unknown === undefined) return;
  throw new HeddleError(
    'ERR_ARGUMENT',
    `${task}: ignore_labels: expected labels of the model, ${known.join(', ')}; found '${unknown}'`,
    { where: 'ignore_labels', found: unknown },
  );
}
