/** From the text of a file to examples of ids. */
import { extname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { HeddleError, mismatch } from '../errors.js';
import type { Tokenizer } from '../text/tokenizer.js';
import type { LabelledExample } from '../train/objectives/classification.js';
import type { TextPair } from '../train/objectives/contrastive.js';
import type { LanguageModelExample } from '../train/objectives/language_model.js';
import type { MaskedLanguageModelExample } from '../train/objectives/masked_language_model.js';
import type { SequencePair } from '../train/objectives/sequence_to_sequence.js';
import { linesOf, type Pair, pairsOf } from './training_text.js';

/** The event loop is held for so many ms at a time. */
const sliceMs = 5;

/** What texts are cut and encoded by. */
export interface TextSettings {
  readonly tokenizer: Tokenizer;
  /** Named in errors. */
  readonly path: string;
  /** The most ids that the model reads at once. */
  readonly contextLength: number;
  readonly signal?: AbortSignal | undefined;
}

/** Calls `make` for each item without holding the event loop for long. */
async function eachOf<T, R>(
  items: readonly T[],
  { signal }: TextSettings,
  make: (item: T) => R,
): Promise<R[]> {
  const made: R[] = [];
  let begin = performance.now();
  for (const item of items) {
    made.push(make(item));
    if (performance.now() - begin < sliceMs) continue;
    await setImmediate();
    signal?.throwIfAborted();
    begin = performance.now();
  }
  return made;
}

/**
 * A text as windows of contextLength + 1 ids, of which neighbours share one: each id but the first is predicted once. A file of
 * two columns (.tsv) gives prompts and answers, of which the answers are to be written, and the end of the text.
 */
export async function languageModelExamples(
  text: string,
  settings: TextSettings,
): Promise<LanguageModelExample[]> {
  const { tokenizer, contextLength, path } = settings;
  const idsOf = (part: string): number[] => tokenizer.encode(part, { addSpecialTokens: false }).ids;
  if (extname(path) === '.tsv') {
    const end = endOf(tokenizer);
    return eachOf(pairsOf(text, path, ['prompt', 'answer']), settings, (pair) => {
      const prompt = idsOf(pair.first);
      return { ids: [...prompt, ...idsOf(pair.second), ...end], given: prompt.length };
    });
  }
  // Lines with what ends them: a long text is not encoded in one go.
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const ids = (await eachOf(lines, settings, idsOf)).flat();
  const windows: LanguageModelExample[] = [];
  for (let from = 0; from + 1 < ids.length; from += contextLength) {
    windows.push({ ids: ids.slice(from, from + contextLength + 1) });
  }
  if (windows.length === 0) throw mismatch('ERR_INPUT', path, 'two tokens', `${ids.length}`);
  return windows;
}

/** Each line with its special tokens, cut to the context. */
export function maskedExamples(
  text: string,
  settings: TextSettings,
): Promise<MaskedLanguageModelExample[]> {
  const { tokenizer, contextLength } = settings;
  return eachOf(linesOf(text), settings, (line) => ({
    ids: [...tokenizer.encode(line, { maxLength: contextLength }).ids],
  }));
}

/** Lines of source and target, each of which ends with the end of texts where the tokenizer has one. */
export function sequencePairs(text: string, settings: TextSettings): Promise<SequencePair[]> {
  const { tokenizer, path } = settings;
  const end = endOf(tokenizer);
  const idsOf = (part: string): number[] => [
    ...tokenizer.encode(part, { addSpecialTokens: false }).ids,
    ...end,
  ];
  return eachOf(pairsOf(text, path, ['source', 'target']), settings, ({ first, second, line }) =>
    inLine(path, line, () => ({ source: idsOf(first), target: idsOf(second) })),
  );
}

/** Lines of text and label. @param labels the names of the classes. */
export function labelledExamples(
  pairs: readonly Pair[],
  labels: readonly string[],
  settings: TextSettings,
): Promise<LabelledExample[]> {
  const { tokenizer, contextLength, path } = settings;
  const numbers = new Map(labels.map((label, number) => [label, number]));
  return eachOf(pairs, settings, ({ first, second, line }) => {
    const label = numbers.get(second);
    if (label === undefined) {
      const expected = `one of the labels ${labels.slice(0, 20).join(', ')}`;
      throw mismatch('ERR_INPUT', `${path}: line ${line}`, expected, `'${second}'`);
    }
    return { ids: [...tokenizer.encode(first, { maxLength: contextLength }).ids], label };
  });
}

/** Lines of two texts that belong together. */
export function textPairs(text: string, settings: TextSettings): Promise<TextPair[]> {
  const { tokenizer, contextLength, path } = settings;
  const idsOf = (part: string): number[] => [
    ...tokenizer.encode(part, { maxLength: contextLength }).ids,
  ];
  return eachOf(pairsOf(text, path, ['text', 'text']), settings, ({ first, second }) => ({
    first: idsOf(first),
    second: idsOf(second),
  }));
}

const endOf = ({ specialIds: { eos } }: Tokenizer): number[] => (eos === undefined ? [] : [eos]);

function inLine<T>(path: string, line: number, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    if (!(cause instanceof HeddleError)) throw cause;
    const where = `${path}: line ${line}`;
    throw new HeddleError(cause.code, `${where}: ${cause.message}`, { where, cause });
  }
}
