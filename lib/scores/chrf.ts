import { checkFloat, checkOptions, checkSizes } from '../graph/options.js';
import { type References, referenceCount, segmentsOf } from './corpus.js';
import { countMatches, countNGrams, type NGramCounts, sumCounts } from './n_grams.js';
import { fixed, signature } from './signature.js';
import { splitWords } from './words.js';

export interface ChrfOptions {
  /** Longest n-grams of characters; default 6. */
  charOrder?: number;
  /** Longest n-grams of words; default 0, and 2 for chrF++. */
  wordOrder?: number;
  /** How many times more recall counts than precision; default 2. */
  beta?: number;
  lowercase?: boolean;
  /** Whether spaces are characters too; default false. */
  whitespace?: boolean;
}

export interface ChrfScore {
  /** From 0 to 100. */
  score: number;
  /** `chrF2`, `chrF2++`. */
  name: string;
  /** How it was computed, as sacreBLEU says it. */
  signature: string;
  /** All of it in one line, as sacreBLEU prints it. */
  line: string;
}

/** Of one order: n-grams of the translation, of the reference, and of both. */
type Match = readonly [found: number, expected: number, matches: number];

/**
 * chrF of a corpus (Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation"), and with `wordOrder: 2`
 * chrF++ (Popović 2017), the same number as sacreBLEU's. Of several references the one that fits best counts.
 * @param hypotheses translations. @param references of each translation one, or several.
 * @throws ERR_ARGUMENT.
 */
export function chrf(
  hypotheses: readonly string[],
  references: References,
  options: ChrfOptions = {},
): ChrfScore {
  checkOptions('chrf', options, ['charOrder', 'wordOrder', 'beta', 'lowercase', 'whitespace']);
  const { charOrder = 6, wordOrder = 0, beta = 2, lowercase = false, whitespace = false } = options;
  checkSizes('chrf', { charOrder });
  checkSizes('chrf', { wordOrder }, 0);
  checkFloat('chrf: beta', beta, 0);
  const segments = segmentsOf('chrf', hypotheses, references, { lowercase });
  const sums = Array.from({ length: charOrder + wordOrder }, () => [0, 0, 0]);
  const countsOf = (text: string): NGramCounts[] => [
    ...upTo(charOrder, Array.from(whitespace ? text : splitWords(text).join('')), ''),
    ...upTo(wordOrder, wordOrder > 0 ? apartFromPunctuation(text) : [], ' '),
  ];
  for (const { hypothesis, references: several } of segments) {
    const found = countsOf(hypothesis);
    let best: { matches: readonly Match[]; score: number } | undefined;
    for (const reference of several) {
      const expected = countsOf(reference);
      const matches = found.map((counts, i) => matchOf(counts, expected[i] as NGramCounts));
      const score = fScore(matches, beta);
      if (!best || score > best.score) best = { matches, score };
    }
    best?.matches.forEach((match, order) => {
      match.forEach((count, i) => {
        (sums[order] as number[])[i] += count;
      });
    });
  }
  const score = fScore(sums as unknown as Match[], beta);
  const name = `chrF${beta}${'+'.repeat(wordOrder)}`;
  const described = signature({
    nrefs: referenceCount(segments),
    case: lowercase ? 'lc' : 'mixed',
    eff: 'yes',
    nc: charOrder,
    nw: wordOrder,
    space: whitespace ? 'yes' : 'no',
  });
  const line = `${name}|${described} = ${fixed(score, 2)}`;
  return { score, name, signature: described, line };
}

const upTo = (order: number, items: readonly string[], glue: string): NGramCounts[] =>
  Array.from({ length: order }, (_, i) => countNGrams(items, i + 1, glue));

function matchOf(found: NGramCounts, expected: NGramCounts): Match {
  const count = expected.size === 0 ? 0 : sumCounts(found);
  return [count, sumCounts(expected), countMatches(found, expected)];
}

/** F-score of precision and recall, each averaged over the orders that both texts are long enough for; in percent. */
function fScore(matches: readonly Match[], beta: number): number {
  const whole = matches.filter(([found, expected]) => found > 0 && expected > 0);
  const average = (of: (match: Match) => number): number =>
    whole.reduce((sum, match) => sum + of(match), 0) / whole.length;
  if (whole.length === 0) return 0;
  const precision = average(([found, , both]) => both / found);
  const recall = average(([, expected, both]) => both / expected);
  if (precision + recall === 0) return 0;
  const factor = beta ** 2;
  return (100 * (1 + factor) * precision * recall) / (factor * precision + recall);
}

const isPunctuation = (character: string): boolean => /[!-/:-@[-`{-~]/.test(character);

/** Words, with the last character apart where that is punctuation, or else the first. */
function apartFromPunctuation(text: string): string[] {
  return splitWords(text).flatMap((word) => {
    const characters = Array.from(word);
    if (characters.length === 1) return [word];
    const [first = '', last = ''] = [characters[0], characters.at(-1)];
    if (isPunctuation(last)) return [word.slice(0, -1), last];
    return isPunctuation(first) ? [first, word.slice(1)] : [word];
  });
}
