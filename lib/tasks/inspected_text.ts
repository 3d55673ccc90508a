/** A text as a model reads it, for looking at what the model makes of it. */
import { HeddleError, mismatch } from '../errors.js';
import { checkOptions, checkSizes, describeValue } from '../graph/options.js';
import type { NdArray } from '../graph/run.js';
import type { CompactEncoding } from '../text/encoding.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { EncoderModel, type Model } from './model.js';

/** A text, or its ids, special ones among them. */
export type TextOrIds = string | { inputIds: readonly number[] };

export interface InspectedToken {
  readonly id: number;
  /** The piece of the text that it stands for; of a special token its name; `#` and the id without a tokenizer. */
  readonly text: string;
  /** Whether it continues a word: no space stands before it. */
  readonly continues: boolean;
}

export interface InspectedText {
  readonly tokens: readonly InspectedToken[];
  /** Tokens that the whole text has: more than `tokens` where it was cut. */
  readonly length: number;
}

export interface InspectedTextOptions {
  /** The first so many tokens are read; default: 256, or as many as the model takes. */
  maxTokens?: number;
  signal?: AbortSignal;
}

const inspectedTextNames = ['maxTokens', 'signal'] as const;

const defaultTokens = 256;

/** A model that is looked into. */
export interface InspectedModel {
  readonly model: EncoderModel;
  /** How many outputs `name.0`, `name.1` … it has of those that were asked about. */
  readonly count: number;
  read(text: TextOrIds): Promise<ReadText>;
}

/**
 * What every look into a model begins with.
 * @param own names of options beside those of the text. @param output which of the layers' outputs are counted.
 * @throws ERR_ARGUMENT for other options and for what is no model of `load`.
 */
export function inspectedModel<T extends InspectedTextOptions>(
  what: string,
  given: Model,
  options: T,
  { own, output }: { own: readonly (keyof T & string)[]; output: 'attentions' | 'hiddenStates' },
): InspectedModel {
  checkOptions<T>(what, options, [...inspectedTextNames, ...own]);
  const model = inspectable(what, given);
  return {
    model,
    count: model.encoder.outputNames.filter((name) => name.startsWith(`${output}.`)).length,
    read: (text) => readText(what, model, text, options),
  };
}

/** Throws ERR_ARGUMENT for what is no model of `load`. */
export function inspectable(what: string, model: Model): EncoderModel {
  if (model instanceof EncoderModel) return model;
  throw mismatch('ERR_ARGUMENT', `${what}: model`, 'a model that load gave', describeValue(model));
}

/** A text beside what runs it. */
export interface ReadText extends InspectedText {
  readonly encoding: CompactEncoding;
  /** The named outputs, of this text alone. */
  forward(outputs: string[]): Promise<Record<string, NdArray>>;
}

/**
 * Reads a text for one model.
 * @throws ERR_INPUT for an empty text, ids that the model does not have, and a text that it has no positions for, unless
 * `maxTokens` cuts it; ERR_ARGUMENT; ERR_UNSUPPORTED for a text where there is no tokenizer.
 */
async function readText(
  what: string,
  model: EncoderModel,
  text: TextOrIds,
  { maxTokens, signal }: InspectedTextOptions,
): Promise<ReadText> {
  const limit = model.textLimit;
  if (maxTokens !== undefined) {
    checkSizes(what, { maxTokens });
    if (maxTokens > limit) {
      const expected = `at most ${limit}, what the model takes`;
      throw mismatch('ERR_ARGUMENT', `${what}: maxTokens`, expected, `${maxTokens}`);
    }
  }
  const whole = await encodingOf(what, model, text, signal);
  const length = whole.ids.length;
  if (length > limit && maxTokens === undefined) {
    throw new HeddleError(
      'ERR_INPUT',
      `${what}: expected a text of at most ${limit} tokens, what the model takes, found ${length}; shorten it, or have it cut ` +
        `with maxTokens (--max-tokens)`,
      { expected: `at most ${limit} tokens`, found: `${length}` },
    );
  }
  const kept = Math.min(length, maxTokens ?? Math.min(defaultTokens, limit));
  const encoding: CompactEncoding = {
    ids: whole.ids.subarray(0, kept),
    typeIds: whole.typeIds.subarray(0, kept),
    overflowed: kept < length,
  };
  const rows = {
    inputIds: [Array.from(encoding.ids)],
    tokenTypeIds: [Array.from(encoding.typeIds)],
  };
  const inputs = model.encoder.takesChoices
    ? { inputIds: [rows.inputIds], tokenTypeIds: [rows.tokenTypeIds] }
    : rows;
  return {
    tokens: tokensOf({ ...whole, ids: encoding.ids }, text, model.tokenizer),
    length,
    encoding,
    forward: (outputs) => model.forward(inputs, { outputs, ...(signal ? { signal } : {}) }),
  };
}

async function encodingOf(
  what: string,
  model: EncoderModel,
  text: TextOrIds,
  signal: AbortSignal | undefined,
): Promise<CompactEncoding> {
  if (typeof text === 'string') {
    const [encoding] = text === '' ? [] : await model.encodeWhole(what, [text], signal, true);
    if (encoding && encoding.ids.length > 0) return encoding;
    throw mismatch('ERR_INPUT', `${what}: text`, 'a text of at least one token', 'an empty one');
  }
  const where = `${what}: text`;
  if (typeof text !== 'object' || text === null || !('inputIds' in text)) {
    throw mismatch('ERR_ARGUMENT', where, 'a text or { inputIds }', describeValue(text));
  }
  checkOptions(where, text, ['inputIds']);
  const { inputIds } = text;
  if (!Array.isArray(inputIds) || inputIds.length === 0) {
    const found = Array.isArray(inputIds) ? 'none' : describeValue(inputIds);
    throw mismatch('ERR_INPUT', where, 'at least one id', found);
  }
  const { vocabSize } = model.encoder.limits;
  inputIds.forEach((id, i) => {
    if (Number.isInteger(id) && id >= 0 && id < vocabSize) return;
    const expected = `an id from 0 to ${vocabSize - 1}`;
    throw mismatch('ERR_INPUT', `${where}: inputIds[${i}]`, expected, describeValue(id));
  });
  const ids = Int32Array.from(inputIds);
  return { ids, typeIds: new Int32Array(ids.length), overflowed: false };
}

function tokensOf(
  { ids, offsets }: CompactEncoding,
  text: TextOrIds,
  tokenizer: Tokenizer | undefined,
): InspectedToken[] {
  let end = -1;
  return Array.from(ids, (id, i) => {
    const [from, to] = offsets ? [offsets[2 * i] ?? 0, offsets[2 * i + 1] ?? 0] : [0, 0];
    if (typeof text !== 'string' || to === from) {
      end = -1;
      return { id, text: wordOf(id, tokenizer), continues: false };
    }
    const piece = text.slice(from, to);
    const continues = from <= end && !/^\s/.test(piece);
    end = to;
    return { id, text: piece.trim() || piece, continues };
  });
}

/** A token by itself. */
export function wordOf(id: number, tokenizer: Tokenizer | undefined): string {
  const token = tokenizer?.idToToken(id);
  if (tokenizer === undefined || token === undefined) return `#${id}`;
  return tokenizer.isSpecial(id) ? token : tokenizer.decode([id]) || token;
}

/**
 * Numbers of layers that were asked for, in order.
 * @param count layers that there are. @throws ERR_ARGUMENT for one that is not there.
 */
export function chosenLayers(
  what: string,
  layers: readonly number[] | undefined,
  count: number,
): number[] {
  if (layers === undefined) return Array.from({ length: count }, (_, i) => i);
  if (!Array.isArray(layers) || layers.length === 0) {
    const found = Array.isArray(layers) ? 'none' : describeValue(layers);
    throw mismatch('ERR_ARGUMENT', `${what}: layers`, 'numbers of layers', found);
  }
  const wrong = layers.find((layer) => !(Number.isInteger(layer) && layer >= 0 && layer < count));
  if (wrong !== undefined) {
    const expected = `layers from 0 to ${count - 1}, which the model has`;
    throw mismatch('ERR_ARGUMENT', `${what}: layers`, expected, describeValue(wrong));
  }
  return [...new Set(layers as number[])].sort((a, b) => a - b);
}
