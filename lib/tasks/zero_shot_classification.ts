import { HeddleError, mismatch } from '../errors.js';
import { checkOptions, describeValue } from '../graph/options.js';
import type { TextInput } from '../text/async_tokenizer.js';
import { expectHead, Labels } from './labels.js';
import { largest, softmax, textLogits } from './logits.js';
import type { EncoderModel } from './model.js';
import { textList } from './text_runs.js';
import { runOptionsOf, type TokenizingOptions, tokenizingNames } from './tokenizing_options.js';

export interface ZeroShotClassification {
  sequence: string;
  /** Best first. */
  labels: string[];
  scores: number[];
}

export interface ZeroShotOptions extends TokenizingOptions {
  /** The sentence that is tested; `{}` stands for the label. Default `This example is {}.` */
  hypothesis_template?: string;
  /** Whether more than one label can be true: each then has a score of its own. Default false: the scores add up to 1. */
  multi_label?: boolean;
  signal?: AbortSignal;
}

export interface ZeroShotCall {
  (
    text: string,
    labels: string | readonly string[],
    options?: ZeroShotOptions,
  ): Promise<ZeroShotClassification>;
  (
    texts: readonly string[],
    labels: string | readonly string[],
    options?: ZeroShotOptions,
  ): Promise<ZeroShotClassification[]>;
}

const optionNames = ['hypothesis_template', 'multi_label', ...tokenizingNames, 'signal'] as const;
const task = 'zero-shot-classification';

/**
 * Classes that the model was never trained for: a model of natural language inference says how much a text entails a
 * sentence with each label (Yin, Hay and Roth 2019, "Benchmarking Zero-shot Text Classification").
 */
export function zeroShotClassification(model: EncoderModel): ZeroShotCall {
  expectHead(model, task, 'sequenceClassification');
  const { entailment, contradiction } = inferenceLabels(new Labels(model.config).all);
  const call = async (
    texts: string | readonly string[],
    candidates: string | readonly string[],
    options: ZeroShotOptions = {},
  ): Promise<ZeroShotClassification | ZeroShotClassification[]> => {
    checkOptions(task, options, optionNames);
    const { hypothesis_template: template = 'This example is {}.', multi_label = false } = options;
    const run = runOptionsOf(task, options);
    const sequences = textList(task, texts);
    const labels = textList(`${task}: labels`, candidates);
    if (labels.length === 0) {
      throw mismatch('ERR_ARGUMENT', `${task}: labels`, 'at least one label', 'none');
    }
    if (typeof template !== 'string' || !template.includes('{}')) {
      const where = `${task}: hypothesis_template`;
      const found = describeValue(template);
      throw mismatch('ERR_ARGUMENT', where, 'a text with {} where the label goes', found);
    }
    const pairs: TextInput[] = sequences.flatMap((sequence) =>
      labels.map((label) => [sequence, template.replace('{}', () => label)] as const),
    );
    const each = multi_label || labels.length === 1;
    const logits: Float32Array[] = new Array(pairs.length);
    await model.runTexts(task, textLogits, pairs, run, (values, _, i) => {
      logits[i] = values;
    });
    const results = sequences.map((sequence, i) => {
      const own = logits.slice(i * labels.length, (i + 1) * labels.length);
      const scores = each
        ? own.map((values) => softmax([values[contradiction], values[entailment]])[1])
        : softmax(own.map((values) => values[entailment]));
      const order = largest(scores, Infinity);
      return {
        sequence,
        labels: order.map((label) => labels[label]),
        scores: order.map((label) => scores[label]),
      };
    });
    return Array.isArray(texts) ? results : results[0];
  };
  return call as ZeroShotCall;
}

/** Which of a model's labels say that the second text follows from the first, and that it does not. */
function inferenceLabels(names: readonly string[]): { entailment: number; contradiction: number } {
  const lower = names.map((name) => name.toLowerCase());
  const entailment = lower.findIndex((name) => name.startsWith('entail'));
  if (entailment < 0) {
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      `${task}: expected a model of natural language inference, with a label 'entailment'; found the labels ` +
        `${names.join(', ')}; choose one, or name its labels in config.json's id2label`,
      { where: task, expected: 'a label entailment', found: names.join(', ') },
    );
  }
  const contradiction = ['contradiction', 'not_entailment']
    .map((name) => lower.indexOf(name))
    .find((place) => place >= 0);
  return { entailment, contradiction: contradiction ?? (entailment === 0 ? names.length - 1 : 0) };
}
