import { HeddleError, mismatch } from '../errors.js';
import { checkOptions, describeValue } from '../graph/options.js';
import type { CompactEncoding } from '../text/encoding.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { type Answer, type AnswerWindow, bestAnswers } from './answer_spans.js';
import { expectHead } from './labels.js';
import { tokenOutputs } from './logits.js';
import type { EncoderModel } from './model.js';
import { PairLayout } from './pair_layout.js';
import { checkTopK } from './text_classification.js';
import { textList } from './text_runs.js';
import { runWindows, textWindows } from './text_windows.js';
import { type TokenizingOptions, tokenizingNames } from './tokenizing_options.js';

/** `TokenizingOptions` are taken without effect: contexts of any length are read, in windows. */
export interface QuestionAnsweringOptions extends TokenizingOptions {
  /** How many answers are given, best first. Default 1: the answer alone, in no list. */
  top_k?: number;
  /** The longest answer, in tokens; default 15. */
  max_answer_len?: number;
  /** Tokens in one window of question and context; default 384, or what the model takes. */
  max_seq_len?: number;
  /** Tokens that neighbouring windows of a long context share; default 128, or half a window. */
  doc_stride?: number;
  /** Whether the answer may be that there is none, given as ''. Default false. */
  handle_impossible_answer?: boolean;
  /** Whether answers are widened to whole words; default true. */
  align_to_words?: boolean;
  signal?: AbortSignal;
}

type Many = QuestionAnsweringOptions & { top_k: number };
type One = QuestionAnsweringOptions & { top_k?: 1 };

/** Several questions go with as many contexts, or with one. */
export interface QuestionAnsweringCall {
  (question: string, context: string, options?: One): Promise<Answer>;
  (question: string, context: string, options: Many): Promise<Answer | Answer[]>;
  (
    questions: readonly string[],
    contexts: string | readonly string[],
    options?: One,
  ): Promise<Answer[]>;
  (
    questions: readonly string[],
    contexts: string | readonly string[],
    options: Many,
  ): Promise<Answer[] | Answer[][]>;
}

const optionNames = [
  'top_k',
  'max_answer_len',
  'max_seq_len',
  'doc_stride',
  'handle_impossible_answer',
  'align_to_words',
  ...tokenizingNames,
  'signal',
] as const;
const task = 'question-answering';
const graph = tokenOutputs(['startLogits', 'endLogits']);

export function questionAnswering(
  model: EncoderModel,
  tokenizer: Tokenizer,
): QuestionAnsweringCall {
  expectHead(model, task, 'questionAnswering');
  const layout = new PairLayout(tokenizer);
  const call = async (
    questions: string | readonly string[],
    contexts: string | readonly string[],
    options: QuestionAnsweringOptions = {},
  ): Promise<Answer | Answer[] | Answer[][]> => {
    checkOptions(task, options, optionNames);
    const { top_k = 1, signal, handle_impossible_answer, align_to_words } = options;
    const room = model.textLimit;
    const window = {
      length: size('max_seq_len', options.max_seq_len, Math.min(room, 384), room),
      stride: 0,
    };
    const stride = Math.min(Math.floor(window.length / 2), 128);
    window.stride = size('doc_stride', options.doc_stride, stride, window.length, 0);
    const spans = {
      topK: checkTopK(task, top_k),
      maxLength: size('max_answer_len', options.max_answer_len, 15, Infinity),
      allowsNone: handle_impossible_answer ?? false,
      alignsToWords: align_to_words ?? true,
    };
    const asked = nonEmpty('question', questions);
    const texts = nonEmpty('context', contexts);
    if (texts.length !== asked.length && texts.length !== 1) {
      const expected = `one context, or one for each of the ${asked.length} questions`;
      throw mismatch('ERR_INPUT', `${task}: context`, expected, `${texts.length}`);
    }
    const answers: Answer[][] = [];
    for (const [i, question] of asked.entries()) {
      const text = texts[texts.length === 1 ? 0 : i];
      const [asks, context] = await model.encodeWhole(task, [question, text], signal);
      if (context.ids.length === 0) {
        throw mismatch('ERR_INPUT', `${task}: context`, 'a text', 'one without any token');
      }
      const windows = await answerWindows(model, layout, asks, context, window, signal);
      answers.push(bestAnswers(text, windows, spans));
    }
    const shaped = top_k === 1 ? answers.map(([best]) => best) : answers;
    return Array.isArray(questions) ? (shaped as Answer[] | Answer[][]) : shaped[0];
  };
  return call as QuestionAnsweringCall;
}

/** Runs the model on a context in windows, each with the question before it. */
async function answerWindows(
  model: EncoderModel,
  layout: PairLayout,
  question: CompactEncoding,
  context: CompactEncoding,
  { length, stride }: { length: number; stride: number },
  signal: AbortSignal | undefined,
): Promise<AnswerWindow[]> {
  const room = length - layout.specials - question.ids.length;
  if (room < 1 || (room <= stride && context.ids.length > room)) {
    throw new HeddleError(
      'ERR_INPUT',
      `${task}: expected a question that leaves more than ${stride} of ${length} tokens to the context, found one of ` +
        `${question.ids.length}; shorten it, or give a larger max_seq_len or a smaller doc_stride`,
      { where: 'question', found: `${question.ids.length} tokens` },
    );
  }
  const places = textWindows(context.ids.length, room, stride);
  const pairs = places.map(([from, to]) => layout.join(question.ids, context.ids.slice(from, to)));
  const results = await runWindows(model, graph, pairs, signal);
  const begin = layout.secondBegin(question.ids.length);
  return results.map(({ startLogits, endLogits }, i) => {
    const [from, to] = places[i];
    const within = (logits: Float32Array): Float32Array =>
      logits.subarray(begin, begin + to - from);
    const none = layout.beginsWithClass ? { start: startLogits[0], end: endLogits[0] } : undefined;
    return { context, from, to, starts: within(startLogits), ends: within(endLogits), none };
  });
}

function size(
  name: string,
  given: number | undefined,
  otherwise: number,
  most: number,
  least = 1,
): number {
  if (given === undefined) return otherwise;
  if (Number.isSafeInteger(given) && given >= least && given <= most) return given;
  const expected = `a whole number from ${least}${most === Infinity ? '' : ` to ${most}`}`;
  throw mismatch('ERR_ARGUMENT', `${task}: ${name}`, expected, describeValue(given));
}

function nonEmpty(name: string, given: string | readonly string[]): string[] {
  const texts = textList(`${task}: ${name}`, given);
  if (texts.length > 0 && texts.every((text) => text !== '')) return texts;
  const found = texts.length === 0 ? 'none' : 'an empty one';
  throw mismatch('ERR_INPUT', `${task}: ${name}`, 'a text', found);
}
