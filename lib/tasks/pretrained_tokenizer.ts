import { mismatch } from '../errors.js';
import { checkOptions, describeValue } from '../graph/options.js';
import type { EncodeOptions, Encoding } from '../text/encoding.js';
import { Tokenizer } from '../text/tokenizer.js';
import type { JsonObject } from '../text/tokenizer_json.js';
import { callable } from './callable.js';
import {
  type BatchDefaults,
  type BatchEncoding,
  encodeBatch,
  type TokenizerCallOptions,
} from './encoded_batch.js';
import { ResultTensor, type Tensor } from './result_tensor.js';

/** A text's ids, as @huggingface/transformers' `encode` gives them, with the members of `Encoding` on the same array. */
export type EncodedIds = number[] & Encoding;

export interface PretrainedEncodeOptions extends EncodeOptions {
  /** `pair` by its name there, as the others. */
  text_pair?: string | null;
  add_special_tokens?: boolean;
  /** Without effect: `typeIds` are there. */
  return_token_type_ids?: boolean | null;
}

export interface PretrainedDecodeOptions {
  skipSpecialTokens?: boolean;
  /** The same by its name there. */
  skip_special_tokens?: boolean;
  /** Whether spaces before marks and in contractions go; default: what tokenizer_config.json says, else true, as there. */
  clean_up_tokenization_spaces?: boolean | null;
}

type Ids = readonly number[] | readonly bigint[] | ArrayLike<number> | Tensor;
type Role = 'pad' | 'cls' | 'sep' | 'mask' | 'bos' | 'eos' | 'unk';

/** What a tokenizer is called with and gives. */
export interface TokenizerCall {
  (
    texts: string | readonly string[],
    options?: TokenizerCallOptions & { return_tensor?: true },
  ): BatchEncoding;
  (text: string, options: TokenizerCallOptions & { return_tensor: false }): BatchEncoding<number[]>;
  (
    texts: readonly string[],
    options: TokenizerCallOptions & { return_tensor: false },
  ): BatchEncoding<number[][]>;
  /** Where the options are not known to the compiler. */
  (
    texts: string | readonly string[],
    options?: TokenizerCallOptions,
  ): BatchEncoding | BatchEncoding<number[] | number[][]>;
}

/** A `Tokenizer` that has the members of @huggingface/transformers' tokenizers, too, and can be called. */
export type PretrainedTokenizer = CallableTokenizer & TokenizerCall;

/** A tokenizer with the vocabulary of `core`, which stays what it is. */
export function pretrainedTokenizer(core: Tokenizer): PretrainedTokenizer {
  const call = (texts: string | readonly string[], options?: TokenizerCallOptions): unknown =>
    made._call(texts as string, options as { return_tensor?: true });
  // A tokenizer does not change once it is made, so that both can share all fields.
  const members = Object.assign(Object.create(CallableTokenizer.prototype), core);
  const made: PretrainedTokenizer = callable(call as TokenizerCall, members as CallableTokenizer);
  return made;
}

/** Classes whose calls give `token_type_ids` there. */
const typedClasses =
  /^(Albert|Bert|ConvBert|Deberta|DebertaV2|Electra|Herbert|MobileBert|RoFormer|SqueezeBert|XLM)Tokenizer$/;

class CallableTokenizer extends Tokenizer {
  /** tokenizer_config.json. */
  get config(): JsonObject {
    return this.settings.config;
  }

  get model_max_length(): number {
    const { model_max_length: stated } = this.config;
    return typeof stated === 'number' ? stated : Infinity;
  }

  get padding_side(): 'left' | 'right' {
    return this.config.padding_side === 'left' ? 'left' : 'right';
  }

  get pad_token(): string | null {
    return this.tokenOf('pad') ?? this.tokenOf('eos');
  }

  get pad_token_id(): number | undefined {
    return this.specialIds.pad ?? this.specialIds.eos;
  }

  get cls_token(): string | null {
    return this.tokenOf('cls');
  }

  get cls_token_id(): number | undefined {
    return this.specialIds.cls;
  }

  get sep_token(): string | null {
    return this.tokenOf('sep');
  }

  get sep_token_id(): number | undefined {
    return this.specialIds.sep;
  }

  get mask_token(): string | null {
    return this.tokenOf('mask');
  }

  get mask_token_id(): number | undefined {
    return this.specialIds.mask;
  }

  get unk_token(): string | null {
    return this.tokenOf('unk');
  }

  get unk_token_id(): number | undefined {
    return this.specialIds.unk;
  }

  get bos_token(): string | null {
    return this.tokenOf('bos');
  }

  get bos_token_id(): number | undefined {
    return this.specialIds.bos;
  }

  get eos_token(): string | null {
    return this.tokenOf('eos');
  }

  get eos_token_id(): number | undefined {
    return this.specialIds.eos;
  }

  get all_special_ids(): number[] {
    return Array.from({ length: this.idBound }, (_, id) => id).filter((id) => this.isSpecial(id));
  }

  get all_special_tokens(): string[] {
    return this.all_special_ids.map((id) => this.idToToken(id) ?? '');
  }

  get_vocab(): Map<string, number> {
    const vocabulary = new Map<string, number>();
    for (let id = 0; id < this.idBound; id++) {
      const token = this.idToToken(id);
      if (token !== undefined) vocabulary.set(token, id);
    }
    return vocabulary;
  }

  convert_tokens_to_ids(token: string): number | undefined;
  convert_tokens_to_ids(tokens: readonly string[]): (number | undefined)[];
  convert_tokens_to_ids(
    tokens: string | readonly string[],
  ): number | undefined | (number | undefined)[] {
    if (typeof tokens === 'string') return this.tokenToId(tokens);
    return tokens.map((token) => this.tokenToId(token));
  }

  /** The tokens of a text, without special ones unless they are asked for. */
  tokenize(
    text: string,
    options: { pair?: string | null; add_special_tokens?: boolean } = {},
  ): string[] {
    checkOptions('tokenize', options, ['pair', 'add_special_tokens']);
    const { pair, add_special_tokens: addSpecialTokens = false } = options;
    const { ids } = super.encodeCompact(text, { pair: pair ?? undefined, addSpecialTokens });
    return Array.from(ids, (id) => this.idToToken(id) ?? '');
  }

  override encode(text: string, options: PretrainedEncodeOptions = {}): EncodedIds {
    checkOptions('encode', options, encodeOptionNames);
    const { text_pair, add_special_tokens, pair, addSpecialTokens, maxLength } = options;
    const encoding = super.encode(text, {
      pair: text_pair ?? pair,
      addSpecialTokens: add_special_tokens ?? addSpecialTokens,
      maxLength,
    });
    // Not enumerable, so that it is compared and printed as the array that it is there.
    const members = Object.entries(encoding).map(([name, value]) => [name, { value }]);
    return Object.defineProperties([...encoding.ids], Object.fromEntries(members)) as EncodedIds;
  }

  override decode(ids: Ids, options: PretrainedDecodeOptions = {}): string {
    checkOptions('decode', options, decodeOptionNames);
    const { skip_special_tokens: skips = false, skipSpecialTokens = skips } = options;
    const stated = this.config.clean_up_tokenization_spaces ?? true;
    const text = super.decode(plainIds(ids), { skipSpecialTokens });
    return (options.clean_up_tokenization_spaces ?? stated) ? cleanedUp(text) : text;
  }

  batch_decode(batch: readonly Ids[] | Tensor, options: PretrainedDecodeOptions = {}): string[] {
    const rows = batch instanceof ResultTensor ? (batch.tolist() as bigint[][]) : batch;
    if (Array.isArray(rows)) return rows.map((ids) => this.decode(ids, options));
    const expected = 'an array of ids for each text, or a tensor';
    throw mismatch('ERR_INPUT', 'batch_decode', expected, describeValue(rows));
  }

  /** What calling the tokenizer does. */
  get _call(): TokenizerCall {
    const call = (texts: string | readonly string[], options: TokenizerCallOptions = {}): unknown =>
      encodeBatch(this, texts, options, this.batchDefaults);
    return call as TokenizerCall;
  }

  private tokenOf(role: Role): string | null {
    return this.settings.specialTokens.get(role) ?? null;
  }

  private get batchDefaults(): BatchDefaults {
    return {
      longest: this.settings.modelMaxLength ?? Infinity,
      paddingSide: this.padding_side,
      padId: this.pad_token_id,
      givesTypeIds: this.givesTypeIds,
    };
  }

  /** As the class does there. One that says nothing gives them, as in Python, where pairs have them and the files do not deny it. */
  private get givesTypeIds(): boolean {
    const { tokenizer_class: name, model_input_names: inputs } = this.config;
    const stated = typeof name === 'string' ? name.replace(/Fast$/, '') : 'PreTrainedTokenizer';
    if (stated !== 'PreTrainedTokenizer') return typedClasses.test(stated);
    if (Array.isArray(inputs)) return inputs.includes('token_type_ids');
    return super.encodeCompact('', { pair: '' }).typeIds.some((type) => type > 0);
  }
}

const encodeOptionNames = [
  'pair',
  'addSpecialTokens',
  'maxLength',
  'text_pair',
  'add_special_tokens',
  'return_token_type_ids',
] as const;

const decodeOptionNames = [
  'skipSpecialTokens',
  'skip_special_tokens',
  'clean_up_tokenization_spaces',
] as const;

/** Ids of one text, whatever they came in. */
function plainIds(ids: Ids): ArrayLike<number> {
  if (ids instanceof ResultTensor) {
    const isRow = ids.dims.length === 1 || (ids.dims.length === 2 && ids.dims[0] === 1);
    if (isRow) return Array.from(ids.data, Number);
    const expected = 'one row of ids; batch_decode takes several';
    throw mismatch('ERR_INPUT', 'decode', expected, `a tensor of [${ids.dims}]`);
  }
  if (Array.isArray(ids) || ArrayBuffer.isView(ids)) {
    return Array.from(ids as ArrayLike<unknown>, (id) =>
      typeof id === 'bigint' ? Number(id) : id,
    ) as number[];
  }
  throw mismatch('ERR_INPUT', 'decode', 'an array of ids', describeValue(ids));
}

/** Spaces that English does not have, as BERT's tokenizer takes them away. */
const cleanedUp = (text: string): string =>
  text
    .replace(/ ([.?!,])/g, '$1')
    .replaceAll(" ' ", "'")
    .replace(/ (n't|'m|'s|'ve|'re)/g, '$1');
