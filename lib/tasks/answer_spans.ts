/** How logits of starts and ends become answers: the rules of Python's pipeline (transformers 4, pipelines/question_answering.py). */
import type { CompactEncoding } from '../text/encoding.js';
import { softmax } from './logits.js';

export interface Answer {
  score: number;
  /** Place in the context, in UTF-16 units. */
  start: number;
  end: number;
  answer: string;
}

/** One window of a context, with a question before it, and what the model gave for it. */
export interface AnswerWindow {
  /** Tokens of the whole context, and which of them the window has. */
  readonly context: CompactEncoding;
  readonly from: number;
  readonly to: number;
  /** Logits of the context's tokens in the window. */
  readonly starts: ArrayLike<number>;
  readonly ends: ArrayLike<number>;
  /** Logits of the first token, by which models say that there is no answer; absent without such a token. */
  readonly none: { readonly start: number; readonly end: number } | undefined;
}

export interface SpanOptions {
  topK: number;
  /** In tokens. */
  maxLength: number;
  /** Whether there may be no answer. */
  allowsNone: boolean;
  /** Whether answers are widened to whole words. */
  alignsToWords: boolean;
}

/** The best answers over all windows of one context, the best first. */
export function bestAnswers(
  text: string,
  windows: readonly AnswerWindow[],
  options: SpanOptions,
): Answer[] {
  const { topK, alignsToWords } = options;
  // Widened to words, several spans may turn out the same.
  const candidates = alignsToWords ? 2 * topK + 10 : topK;
  const answers = new Map<string, Answer>();
  let leastNone = 1e6;
  for (const window of windows) {
    const { spans, none } = spansOf(window, options.maxLength, candidates);
    leastNone = Math.min(leastNone, none);
    for (const { from, to, score } of spans) {
      const { start, end } = boundsOf(window, from, to, alignsToWords);
      const answer = text.slice(start, end);
      const same = answers.get(answer.toLowerCase());
      if (same) same.score += score;
      else answers.set(answer.toLowerCase(), { score, start, end, answer });
    }
  }
  const all = [...answers.values()];
  if (options.allowsNone) all.push({ score: leastNone, start: 0, end: 0, answer: '' });
  return all.sort((a, b) => b.score - a.score).slice(0, topK);
}

/** A span's score is the product of its start's and its end's probability; that of no answer the first token's. */
function spansOf(
  { starts, ends, none }: AnswerWindow,
  maxLength: number,
  count: number,
): { spans: { from: number; to: number; score: number }[]; none: number } {
  const probabilities = (logits: ArrayLike<number>, first: number | undefined): number[] =>
    softmax([first ?? -Infinity, ...Array.from(logits)]);
  const [noStart, ...start] = probabilities(starts, none?.start);
  const [noEnd, ...end] = probabilities(ends, none?.end);
  const spans: { from: number; to: number; score: number }[] = [];
  start.forEach((probability, from) => {
    for (let to = from; to < Math.min(end.length, from + maxLength); to++) {
      spans.push({ from, to, score: probability * end[to] });
    }
  });
  spans.sort((a, b) => b.score - a.score);
  return { spans: spans.slice(0, count), none: noStart * noEnd };
}

function boundsOf(
  { context, from: first, to: past }: AnswerWindow,
  from: number,
  to: number,
  alignsToWords: boolean,
): { start: number; end: number } {
  const { offsets = new Int32Array(), words = new Int32Array() } = context;
  let [begin, last] = [first + from, first + to];
  if (alignsToWords) {
    while (begin > first && words[begin - 1] === words[begin]) begin--;
    while (last + 1 < past && words[last + 1] === words[last]) last++;
  }
  return { start: offsets[2 * begin], end: offsets[2 * last + 1] };
}
