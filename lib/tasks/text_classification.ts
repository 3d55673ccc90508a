import { HeddleError, mismatch } from '../errors.js';
import { checkChoice, checkOptions, describeValue } from '../graph/options.js';
import type { TextInput } from '../text/async_tokenizer.js';
import { expectHead, Labels } from './labels.js';
import { largest, sigmoid, softmax, textLogits } from './logits.js';
import type { EncoderModel } from './model.js';
import { runOptionsOf, type TokenizingOptions, tokenizingNames } from './tokenizing_options.js';

export interface Classification {
  label: string;
  score: number;
}

/** A text, or two that the model reads together. */
export type ClassifiedText = string | { text: string; text_pair?: string };

export interface TextClassificationOptions extends TokenizingOptions {
  /** How many labels are given of each text, best first; null: all. Default 1. */
  top_k?: number | null;
  /** What makes scores of logits; default: what config.json's `problem_type` and number of labels mean. */
  function_to_apply?: 'sigmoid' | 'softmax' | 'none';
  signal?: AbortSignal;
}

/** With `top_k` 1 one label for each text in one list; else a list for each text, and for a single text its list alone. */
export interface TextClassificationCall {
  (text: ClassifiedText, options?: TextClassificationOptions): Promise<Classification[]>;
  (
    texts: readonly ClassifiedText[],
    options?: TextClassificationOptions & { top_k?: 1 },
  ): Promise<Classification[]>;
  (
    texts: readonly ClassifiedText[],
    options: TextClassificationOptions,
  ): Promise<Classification[] | Classification[][]>;
}

const optionNames = ['top_k', 'function_to_apply', ...tokenizingNames, 'signal'] as const;
const task = 'text-classification';

export function textClassification(model: EncoderModel): TextClassificationCall {
  expectHead(model, task, 'sequenceClassification');
  const labels = new Labels(model.config);
  const call = async (
    texts: ClassifiedText | readonly ClassifiedText[],
    options: TextClassificationOptions = {},
  ): Promise<Classification[] | Classification[][]> => {
    checkOptions(task, options, optionNames);
    const { top_k = 1, function_to_apply: wanted } = options;
    const run = runOptionsOf(task, options);
    const count = checkTopK(task, top_k);
    if (wanted !== undefined) {
      checkChoice(`${task}: function_to_apply`, wanted, ['sigmoid', 'softmax', 'none']);
    }
    const isList = Array.isArray(texts);
    const inputs = (isList ? Array.from(texts) : [texts]).map((text, i) =>
      textInput(text, isList ? `${task}: texts[${i}]` : task),
    );
    const results: Classification[][] = new Array(inputs.length);
    await model.runTexts(task, textLogits, inputs, run, (logits, _, i) => {
      const scores = scoresOf(logits, wanted ?? functionFor(model.config, logits.length));
      results[i] = largest(scores, count).map((label) => ({
        label: labels.of(label),
        score: scores[label],
      }));
    });
    if (top_k === 1) return results.flat();
    return isList ? results : results[0];
  };
  return call as TextClassificationCall;
}

/** `top_k` as a count. Throws ERR_ARGUMENT for anything but null and a whole number from 1. */
export function checkTopK(where: string, given: number | null): number {
  if (given === null) return Infinity;
  if (Number.isSafeInteger(given) && given >= 1) return given;
  const expected = 'a whole number from 1, or null for all';
  throw mismatch('ERR_ARGUMENT', `${where}: top_k`, expected, describeValue(given));
}

function textInput(given: unknown, where: string): TextInput {
  if (typeof given === 'string') return given;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw mismatch('ERR_INPUT', where, 'a text or { text, text_pair }', describeValue(given));
  }
  const { text, text_pair: pair } = given as { text: unknown; text_pair?: unknown };
  if (typeof text !== 'string' || (pair !== undefined && typeof pair !== 'string')) {
    throw new HeddleError('ERR_INPUT', `${where}: expected strings as text and text_pair`);
  }
  return pair === undefined ? text : [text, pair];
}

/** As Python's pipeline decides it; the one in JavaScript takes the softmax of a single label, which is always 1. */
function functionFor(
  { problem_type: problem }: Readonly<Record<string, unknown>>,
  labels: number,
): 'sigmoid' | 'softmax' | 'none' {
  if (problem === 'regression') return 'none';
  return problem === 'multi_label_classification' || labels === 1 ? 'sigmoid' : 'softmax';
}

function scoresOf(logits: Float32Array, by: 'sigmoid' | 'softmax' | 'none'): number[] {
  if (by === 'softmax') return softmax(logits);
  return by === 'sigmoid' ? Array.from(logits, sigmoid) : Array.from(logits);
}
