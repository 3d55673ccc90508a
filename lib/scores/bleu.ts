import { mismatch } from '../errors.js';
import { checkChoice, checkFloat, checkOptions, checkSizes } from '../graph/options.js';
import { type BleuTokenizer, bleuTokenizers, bleuWords } from './bleu_tokens.js';
import { type References, referenceCount, type Segment, segmentsOf } from './corpus.js';
import { countMatches, countNGrams, type NGramCounts, sumCounts } from './n_grams.js';
import { fixed, signature } from './signature.js';

/**
 * What stands for a precision of 0 (Chen & Cherry 2014, "A Systematic Comparison of Smoothing Techniques for
 * Sentence-Level BLEU"): `exp`, half of it each time; `floor`, a small count; `add-k`, k more of matches and of all.
 */
export type BleuSmoothing = (typeof smoothings)[number];
export const smoothings = ['exp', 'floor', 'add-k', 'none'] as const;

export interface BleuOptions {
  /** How words are told apart; default `13a`. */
  tokenize?: BleuTokenizer;
  lowercase?: boolean;
  /** Default `exp`. */
  smoothing?: BleuSmoothing;
  /** The count of `floor`, by default 0.1, or the k of `add-k`, by default 1. */
  smoothingValue?: number;
  /** Longest n-grams; default 4. */
  maxOrder?: number;
  /** Leave out orders that the translations are too short for: for single sentences. */
  effectiveOrder?: boolean;
}

export interface BleuScore {
  /** From 0 to 100. */
  score: number;
  /** Of 1-grams, 2-grams and so on, in percent. */
  precisions: number[];
  brevityPenalty: number;
  /** Words of the translations, and of the references nearest in length. */
  hypothesisLength: number;
  referenceLength: number;
  /** How it was computed, as sacreBLEU says it. */
  signature: string;
  /** All of it in one line, as sacreBLEU prints it. */
  line: string;
}

const defaultValues: Partial<Record<BleuSmoothing, number>> = { floor: 0.1, 'add-k': 1 };

/**
 * BLEU of a corpus (Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation"), the same
 * number as sacreBLEU's (Post 2018).
 * @param hypotheses translations. @param references of each translation one, or several.
 * @throws ERR_ARGUMENT.
 */
export function bleu(
  hypotheses: readonly string[],
  references: References,
  options: BleuOptions = {},
): BleuScore {
  const known = ['tokenize', 'lowercase', 'smoothing', 'smoothingValue', 'maxOrder'] as const;
  checkOptions('bleu', options, [...known, 'effectiveOrder']);
  const { tokenize = '13a', lowercase = false, smoothing = 'exp' } = options;
  const { maxOrder = 4, effectiveOrder = false } = options;
  checkChoice('bleu: tokenize', tokenize, bleuTokenizers);
  checkChoice('bleu: smoothing', smoothing, smoothings);
  checkSizes('bleu', { maxOrder });
  const defaultValue = defaultValues[smoothing];
  const { smoothingValue: value = defaultValue ?? 0 } = options;
  checkFloat('bleu: smoothingValue', value, 0);
  if (options.smoothingValue !== undefined && defaultValue === undefined) {
    const expected = `none for ${smoothing}`;
    throw mismatch('ERR_ARGUMENT', 'bleu: smoothingValue', expected, String(value));
  }
  const segments = segmentsOf('bleu', hypotheses, references, { lowercase });
  const counts = countCorpus(segments, tokenize, maxOrder);
  const { hypothesisLength, referenceLength } = counts;
  const brevityPenalty =
    hypothesisLength >= referenceLength
      ? 1
      : hypothesisLength > 0
        ? Math.exp(1 - referenceLength / hypothesisLength)
        : 0;
  const { precisions, order } = precisionsOf(counts, { smoothing, value, effectiveOrder });
  const logs = precisions.slice(0, order).reduce((sum, p) => sum + Math.log(p), 0);
  const score = order === 0 ? 0 : brevityPenalty * Math.exp(logs / order);
  const described = signature({
    nrefs: referenceCount(segments),
    case: lowercase ? 'lc' : 'mixed',
    eff: effectiveOrder ? 'yes' : 'no',
    tok: tokenize,
    smooth: defaultValue === undefined ? smoothing : `${smoothing}[${fixed(value, 2)}]`,
  });
  const ratio = referenceLength === 0 ? 0 : hypothesisLength / referenceLength;
  const line =
    `BLEU|${described} = ${fixed(score, 2)} ${precisions.map((p) => fixed(p, 1)).join('/')} ` +
    `(BP = ${fixed(brevityPenalty, 3)} ratio = ${fixed(ratio, 3)} ` +
    `hyp_len = ${hypothesisLength} ref_len = ${referenceLength})`;
  const lengths = { hypothesisLength, referenceLength };
  return { score, precisions, brevityPenalty, ...lengths, signature: described, line };
}

interface CorpusCounts {
  /** By order, from 1-grams on: of the translations, how many are in a reference, and how many there are. */
  matches: number[];
  totals: number[];
  hypothesisLength: number;
  referenceLength: number;
}

function countCorpus(
  segments: readonly Segment[],
  tokenize: BleuTokenizer,
  maxOrder: number,
): CorpusCounts {
  const matches = new Array<number>(maxOrder).fill(0);
  const totals = new Array<number>(maxOrder).fill(0);
  let [hypothesisLength, referenceLength] = [0, 0];
  for (const { hypothesis, references } of segments) {
    const words = bleuWords(hypothesis, tokenize);
    const others = references.map((reference) => bleuWords(reference, tokenize));
    hypothesisLength += words.length;
    const lengths = others.map(({ length }) => length);
    referenceLength += lengths.reduce((best, length) => nearer(words.length, best, length));
    for (let order = 1; order <= maxOrder; order++) {
      const found = countNGrams(words, order, ' ');
      const expected = most(others.map((each) => countNGrams(each, order, ' ')));
      totals[order - 1] += sumCounts(found);
      matches[order - 1] += countMatches(found, expected);
    }
  }
  return { matches, totals, hypothesisLength, referenceLength };
}

/** Of two lengths the one that is nearer to `to`; of two as near, the shorter. */
function nearer(to: number, a: number, b: number): number {
  const [byA, byB] = [Math.abs(a - to), Math.abs(b - to)];
  if (byA === byB) return Math.min(a, b);
  return byA < byB ? a : b;
}

/** Each n-gram as often as it is in the reference that has most of it. */
function most([first, ...others]: readonly NGramCounts[]): NGramCounts {
  if (others.length === 0) return first ?? new Map();
  const all = new Map(first);
  for (const counts of others) {
    for (const [key, count] of counts) all.set(key, Math.max(count, all.get(key) ?? 0));
  }
  return all;
}

/** @returns precisions in percent, and how many of them are averaged; none where nothing matches at all. */
function precisionsOf(
  { matches, totals }: CorpusCounts,
  options: { smoothing: BleuSmoothing; value: number; effectiveOrder: boolean },
): { precisions: number[]; order: number } {
  const { smoothing, value, effectiveOrder } = options;
  const precisions = new Array<number>(matches.length).fill(0);
  if (matches.every((count) => count === 0)) return { precisions, order: 0 };
  let order = matches.length;
  let halvings = 1;
  for (let i = 0; i < matches.length; i++) {
    const more = smoothing === 'add-k' && i > 0 ? value : 0;
    const [count, total] = [(matches[i] as number) + more, (totals[i] as number) + more];
    if (total === 0) break;
    if (effectiveOrder) order = i + 1;
    if (count > 0) {
      precisions[i] = (100 * count) / total;
    } else if (smoothing === 'exp') {
      halvings *= 2;
      precisions[i] = 100 / (halvings * total);
    } else if (smoothing === 'floor') {
      precisions[i] = (100 * value) / total;
    }
  }
  return { precisions, order };
}
