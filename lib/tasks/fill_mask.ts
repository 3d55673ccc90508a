import { HeddleError, mismatch } from '../errors.js';
import { checkChoice, checkOptions, describeValue } from '../graph/options.js';
import { SymbolicDim } from '../graph/shape.js';
import { input } from '../graph/tensor.js';
import type { TextEncoder } from '../models/text_encoder.js';
import { pool } from '../ops/index.js';
import type { CompactEncoding } from '../text/encoding.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { expectHead } from './labels.js';
import { largest, softmax } from './logits.js';
import type { EncoderModel } from './model.js';
import type { TextGraph } from './request_batches.js';
import { checkTopK } from './text_classification.js';
import { textList } from './text_runs.js';
import { runOptionsOf, type TokenizingOptions, tokenizingNames } from './tokenizing_options.js';

export interface FilledMask {
  score: number;
  /** Id of the token in the mask's place. */
  token: number;
  token_str: string;
  /** The text with it. */
  sequence: string;
}

export interface FillMaskOptions extends TokenizingOptions {
  /** How many tokens are given for a mask, best first; null: the whole vocabulary. Default 5. */
  top_k?: number | null;
  /** The tokens to choose among; each must be one of the vocabulary. Default: all. */
  targets?: string | readonly string[];
  /**
   * Where a text has several masks: `first` (the default, as @huggingface/transformers) fills the first one, `all` gives a
   * list for each one, in their order, with the other masks left in `sequence`.
   */
  masks?: 'first' | 'all';
  signal?: AbortSignal;
}

/** For a text the tokens of its mask, or with `masks: 'all'` those of each; for several texts a list of these. */
export interface FillMaskCall {
  (text: string, options?: FillMaskOptions & { masks?: 'first' }): Promise<FilledMask[]>;
  (
    texts: readonly string[],
    options?: FillMaskOptions & { masks?: 'first' },
  ): Promise<FilledMask[][]>;
  (text: string, options: FillMaskOptions & { masks: 'all' }): Promise<FilledMask[][]>;
  (
    texts: readonly string[],
    options: FillMaskOptions & { masks: 'all' },
  ): Promise<FilledMask[][][]>;
}

const optionNames = ['top_k', 'targets', 'masks', ...tokenizingNames, 'signal'] as const;
const task = 'fill-mask';

export function fillMask(model: EncoderModel, tokenizer: Tokenizer): FillMaskCall {
  expectHead(model, task, 'maskedLm');
  const maskId = tokenizer.specialIds.mask;
  if (maskId === undefined) {
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      `${task}: expected a tokenizer with a mask token, found none in ${tokenizer.path}`,
    );
  }
  const graph = maskLogits(model.encoder, maskId);
  const maskToken = tokenizer.idToToken(maskId);
  const call = async (
    texts: string | readonly string[],
    options: FillMaskOptions = {},
  ): Promise<FilledMask[] | FilledMask[][] | FilledMask[][][]> => {
    checkOptions(task, options, optionNames);
    const { top_k = 5, targets, masks = 'first' } = options;
    const run = runOptionsOf(task, options);
    const count = checkTopK(task, top_k);
    checkChoice(`${task}: masks`, masks, ['first', 'all']);
    const allowed = targets === undefined ? undefined : targetIds(tokenizer, targets);
    const list = textList(task, texts);
    const check = ({ ids, overflowed }: CompactEncoding, i: number): void => {
      if (ids.includes(maskId)) return;
      const where = list.length === 1 ? task : `${task}: texts[${i}]`;
      const expected = `the mask token ${maskToken} in the place of the missing word`;
      throw mismatch('ERR_INPUT', where, expected, overflowed ? 'it not in what was kept' : 'none');
    };
    const results: FilledMask[][][] = new Array(list.length);
    await model.runTexts(task, graph, list, { ...run, check }, (logits, { ids }, i) => {
      const places = placesOf(ids, maskId).slice(0, masks === 'all' ? undefined : 1);
      results[i] = places.map((place, mask) => {
        const scores = softmax(logits[mask]);
        const tokens = allowed
          ? largest(
              allowed.map((id) => scores[id]),
              count,
            ).map((which) => allowed[which])
          : largest(scores, count);
        return tokens.map((token) => ({
          score: scores[token],
          token,
          token_str: tokenizer.decode([token]),
          sequence: filled(tokenizer, ids, place, token, masks === 'all' && places.length > 1),
        }));
      });
    });
    const shaped = masks === 'all' ? results : results.map(([first]) => first);
    return Array.isArray(texts) ? shaped : shaped[0];
  };
  return call as FillMaskCall;
}

/** Each text begins anew at every mask, so that the first row of a segment is the mask's; what is before them all is left over. */
const segments = new SymbolicDim('masks + 1');
const bounds = new SymbolicDim('masks + 2');
const maskOffsets = input('maskOffsets', [bounds], 'int32');

/** Logits over the vocabulary for the masks alone: for a sentence that is a twentieth of the head's work. */
function maskLogits(encoder: TextEncoder, maskId: number): TextGraph<Float32Array[]> {
  return {
    key: 'logits of masks',
    planKey: 'logits of masks',
    build: ({ lastHiddenState }, batch) => ({
      logits: encoder.rowLogits(
        pool(lastHiddenState.tensor, maskOffsets, segments, 'first'),
        batch,
      ),
    }),
    inputs({ ids }) {
      const offsets = Int32Array.from([0, ...placesOf(ids, maskId), ids.length]);
      return {
        feeds: { maskOffsets: offsets },
        sizes: [
          [segments, offsets.length - 1],
          [bounds, offsets.length],
        ],
      };
    },
    split({ logits: { data, shape } }, _, encodings) {
      const width = shape[1] ?? 0;
      let row = 1;
      return encodings.map(({ ids }) =>
        placesOf(ids, maskId).map(() => data.subarray(row * width, ++row * width)),
      );
    },
  };
}

function placesOf(ids: Int32Array, id: number): number[] {
  const places: number[] = [];
  ids.forEach((other, i) => {
    if (other === id) places.push(i);
  });
  return places;
}

function filled(
  tokenizer: Tokenizer,
  ids: Int32Array,
  place: number,
  token: number,
  keepsMasks: boolean,
): string {
  const tokens = Array.from(ids);
  tokens[place] = token;
  return tokenizer.decode(tokens, { skipSpecialTokens: !keepsMasks });
}

function targetIds(tokenizer: Tokenizer, targets: string | readonly string[]): number[] {
  const ids = textList(`${task}: targets`, targets).map((target) => {
    const id = tokenizer.tokenToId(target);
    if (id !== undefined) return id;
    const expected = 'tokens of the vocabulary';
    throw mismatch('ERR_ARGUMENT', `${task}: targets`, expected, describeValue(target));
  });
  if (ids.length === 0) throw mismatch('ERR_ARGUMENT', `${task}: targets`, 'at least one', 'none');
  return [...new Set(ids)];
}
