import { HeddleError, mismatch } from '../errors.js';
import { checkChoice, checkOptions, describeValue } from '../graph/options.js';
import type { CompactEncoding } from '../text/encoding.js';
import type { Tokenizer } from '../text/tokenizer.js';
import {
  type AggregationStrategy,
  aggregationStrategies,
  type ClassifiedToken,
  entityOf,
  groupEntities,
  longestEntities,
  mergeWords,
} from './entity_groups.js';
import { expectHead, Labels } from './labels.js';
import { indexOfLargest, softmax, tokenOutputs } from './logits.js';
import type { EncoderModel } from './model.js';
import { textList } from './text_runs.js';
import { runWindows, TextLayout, textWindows } from './text_windows.js';
import { runOptionsOf, type TokenizingOptions, tokenizingNames } from './tokenizing_options.js';

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

export interface TokenClassificationOptions extends TokenizingOptions {
  /** Labels whose tokens are left out; default `['O']`. */
  ignore_labels?: readonly string[];
  /**
   * How tokens become entities. `none` (the default): not at all. `simple`: neighbours with the same tag. The others first make
   * the tokens of a word agree: on the label of the `first`, on the best of the `average`, or on that of the surest (`max`).
   */
  aggregation_strategy?: AggregationStrategy;
  /**
   * Reads texts of any length, in windows that share so many tokens; where their entities overlap, the longest counts. Only
   * with an aggregation. Without it, texts longer than the model are cut.
   */
  stride?: number;
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
  'stride',
  ...tokenizingNames,
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
    const { ignore_labels: ignored = ['O'], aggregation_strategy = 'none', stride } = options;
    const run = runOptionsOf(task, options);
    checkChoice(`${task}: aggregation_strategy`, aggregation_strategy, aggregationStrategies);
    checkLabels(textList(`${task}: ignore_labels`, ignored), labels.all);
    const list = textList(task, texts);
    const entitiesOf = (tokens: readonly ClassifiedToken[]): TokenClass[] | EntityGroup[] => {
      if (aggregation_strategy === 'none') {
        return tokens
          .filter(({ entity }) => !ignored.includes(entity))
          .map(({ scores, tokens: _, continues, ...shown }) => shown);
      }
      const words =
        aggregation_strategy === 'simple'
          ? tokens
          : mergeWords(tokens, aggregation_strategy, labels);
      const groups = groupEntities(words, tokenizer);
      return groups.filter(({ entity_group: group }) => !ignored.includes(group));
    };
    const results: unknown[] = new Array(list.length);
    if (stride === undefined) {
      const settings = { ...run, offsets: true };
      await model.runTexts(task, graph, list, settings, ({ logits }, encoding, i) => {
        results[i] = entitiesOf(tokensOf(tokenizer, labels, list[i], encoding, logits));
      });
    } else {
      const layout = new TextLayout(tokenizer);
      const room = Math.min(run.maxLength ?? Infinity, model.textLimit) - layout.specials;
      checkStride(stride, room, aggregation_strategy);
      for (const [i, text] of list.entries()) {
        const [whole] = await model.encodeWhole(task, [text], run.signal);
        const places = textWindows(whole.ids.length, room, stride);
        const windows = places.map(([from, to]) => layout.window(whole, from, to));
        const runs = await runWindows(model, graph, windows, run.signal);
        const groups = runs.map(({ logits }, k) =>
          entitiesOf(tokensOf(tokenizer, labels, text, windows[k], logits)),
        );
        results[i] = longestEntities(groups.flat() as EntityGroup[]);
      }
    }
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

function checkStride(stride: number, room: number, strategy: AggregationStrategy): void {
  const where = `${task}: stride`;
  if (strategy === 'none') {
    const expected = "an aggregation_strategy other than 'none' beside it";
    throw mismatch('ERR_ARGUMENT', where, expected, "'none'");
  }
  if (Number.isSafeInteger(stride) && stride >= 0 && stride < room) return;
  const expected = `a whole number from 0, less than the ${room} tokens of a window`;
  throw mismatch('ERR_ARGUMENT', where, expected, describeValue(stride));
}
