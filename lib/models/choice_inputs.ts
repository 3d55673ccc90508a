import { mismatch } from '../errors.js';
import { describeValue } from '../graph/options.js';
import { type EncoderInputs, inputNames } from './encoder_inputs.js';

type Choices = readonly (readonly (readonly number[])[])[];

/** Inputs of a model for multiple choice, as Hugging Face shapes them: [questions, choices, length]. */
export type ChoiceInputs = { readonly [K in keyof EncoderInputs]: Choices | undefined } & {
  readonly inputIds: Choices;
};

/**
 * Puts the choices of all questions one after the other, question by question. Throws ERR_INPUT where a question has no
 * choices, or another number of them than the first.
 */
export function flattenChoices(inputs: ChoiceInputs): { inputs: EncoderInputs; choices: number } {
  const [first] = Array.isArray(inputs.inputIds) ? (inputs.inputIds as Choices) : [];
  const choices = Array.isArray(first) ? first.length : 0;
  if (choices === 0) {
    const found = first === undefined ? describeValue(inputs.inputIds) : describeValue(first);
    throw mismatch('ERR_INPUT', 'inputIds', 'ids as [questions][choices][length]', found);
  }
  const given = inputNames.filter((name) => inputs[name] !== undefined);
  const flat = given.map((name) => [name, flatten(name, inputs[name], inputs.inputIds, choices)]);
  return { inputs: Object.fromEntries(flat) as EncoderInputs, choices };
}

function flatten(name: string, rows: unknown, inputIds: Choices, choices: number): unknown[] {
  if (!Array.isArray(rows) || rows.length !== inputIds.length) {
    throw mismatch('ERR_INPUT', name, `${inputIds.length} questions`, describeValue(rows));
  }
  // Array.from: flatMap would pass over the holes of a sparse array.
  return Array.from(rows).flatMap((row: unknown, question) => {
    if (Array.isArray(row) && row.length === choices) return Array.from(row);
    const where = `${name}[${question}]`;
    throw mismatch(
      'ERR_INPUT',
      where,
      `${choices} choices, as the first question has`,
      describeValue(row),
    );
  });
}
