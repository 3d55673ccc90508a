/** How the labels of tokens become entities: the rules of Python's pipeline (transformers, pipelines/token_classification.py). */
import type { Tokenizer } from '../text/tokenizer.js';
import type { Labels } from './labels.js';
import { indexOfLargest } from './logits.js';

export const aggregationStrategies = ['none', 'simple', 'first', 'average', 'max'] as const;
export type AggregationStrategy = (typeof aggregationStrategies)[number];

/** A token or a word with its label. */
export interface Labelled {
  entity: string;
  score: number;
  /** As the vocabulary has them, or where they are unknown there, as the text does. */
  tokens: readonly string[];
  start: number;
  end: number;
}

export interface ClassifiedToken extends Labelled {
  index: number;
  word: string;
  /** Of all labels. */
  scores: readonly number[];
  /** Whether it belongs to the word that the token before it is of. */
  continues: boolean;
}

/** `B-PER` begins an entity `PER`, `I-PER` goes on with it, and so does any other label. */
export function tagOf(entity: string): { begins: boolean; tag: string } {
  const isTagged = entity.startsWith('B-') || entity.startsWith('I-');
  return { begins: entity.startsWith('B-'), tag: isTagged ? entity.slice(2) : entity };
}

/** Gives the tokens of each word one label. */
export function mergeWords(
  tokens: readonly ClassifiedToken[],
  strategy: 'first' | 'average' | 'max',
  labels: Labels,
): Labelled[] {
  const words: ClassifiedToken[][] = [];
  for (const token of tokens) {
    const word = words.at(-1);
    if (word && token.continues) word.push(token);
    else words.push([token]);
  }
  return words.map((word) => {
    const scores = wordScores(word, strategy);
    const best = indexOfLargest(scores);
    return {
      entity: labels.of(best),
      score: scores[best],
      tokens: word.flatMap(({ tokens }) => tokens),
      start: word[0].start,
      end: word[word.length - 1].end,
    };
  });
}

function wordScores(
  word: readonly ClassifiedToken[],
  strategy: 'first' | 'average' | 'max',
): readonly number[] {
  const [first] = word;
  if (strategy === 'first') return first.scores;
  if (strategy === 'max') {
    return word.reduce((best, token) => (token.score > best.score ? token : best)).scores;
  }
  return first.scores.map((_, i) => {
    const sum = word.reduce((total, { scores }) => total + scores[i], 0);
    return sum / word.length;
  });
}

/** The name of the entity that a label is of: what follows its first dash. */
export const entityOf = (label: string): string => label.slice(label.indexOf('-') + 1);

/** Joins neighbours with the same tag, unless the second begins an entity of its own. */
export function groupEntities(
  tokens: readonly Labelled[],
  tokenizer: Tokenizer,
): { entity_group: string; score: number; word: string; start: number; end: number }[] {
  const groups: Labelled[][] = [];
  for (const token of tokens) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    const { begins, tag } = tagOf(token.entity);
    if (group && last && !begins && tag === tagOf(last.entity).tag) group.push(token);
    else groups.push([token]);
  }
  return groups.map((group) => ({
    entity_group: entityOf(group[0].entity),
    score: group.reduce((sum, { score }) => sum + score, 0) / group.length,
    word: tokenizer.joinTokens(group.flatMap(({ tokens }) => tokens)),
    start: group[0].start,
    end: group[group.length - 1].end,
  }));
}

/**
 * Of entities that overlap, as those of neighbouring windows do, the longest, and of equally long ones the surer; in the
 * order of the text.
 */
export function longestEntities<E extends { score: number; start: number; end: number }>(
  entities: readonly E[],
): E[] {
  const kept: E[] = [];
  for (const entity of [...entities].sort((a, b) => a.start - b.start)) {
    const last = kept.at(-1);
    if (last === undefined || entity.start >= last.end) {
      kept.push(entity);
      continue;
    }
    const longer = entity.end - entity.start - (last.end - last.start);
    if (longer > 0 || (longer === 0 && entity.score > last.score)) kept[kept.length - 1] = entity;
  }
  return kept;
}
