import { mismatch } from '../errors.js';
import { type AddedToken, readAddedTokens } from './added_tokens.js';
import { createStages, type Stage } from './decode_stages.js';
import { createDecoder } from './decoder.js';
import {
  type CompactEncoding,
  type EncodeOptions,
  type Encoding,
  fromCompact,
} from './encoding.js';
import { EncodingPipeline } from './encoding_pipeline.js';
import { GeneratedText } from './generated_text.js';
import { IncrementalDecoder } from './incremental_decoder.js';
import { createPostProcessor, type PostProcessor, specialCount } from './post_processor.js';
import { readTokenizerFiles, type SpecialIds, type TokenizerSettings } from './tokenizer_files.js';
import { describe, type JsonObject, objectOrNull, own } from './tokenizer_json.js';
import { keptLengths } from './truncation.js';
import { createVocabularyModel, type VocabularyModel } from './vocabulary_model.js';

export interface DecodeOptions {
  skipSpecialTokens?: boolean;
  /** Whether ids that are no tokens, which models may make whose vocabulary was padded, have no text; default: they are ERR_INPUT. */
  skipUnknownIds?: boolean;
}

/**
 * A tokenizer of the Hugging Face kind, from its tokenizer.json. Each step refuses a type it does not
 * know, so ids are either the reference's or an error.
 *
 * Truncation and padding written in tokenizer.json are not followed: the caller decides.
 */
export class Tokenizer {
  /** The number of tokens, added ones among them. */
  readonly vocabSize: number;
  readonly specialIds: SpecialIds;
  /** What a token that continues a word begins with; undefined where tokens do not tell. */
  readonly subwordPrefix: string | undefined;
  private readonly pipeline: EncodingPipeline;
  private readonly model: VocabularyModel;
  private readonly postProcessor: PostProcessor;
  private readonly addedIds = new Map<string, number>();
  private readonly tokens: string[];
  /** As they are written: a special token that normalisation changes is not skipped, as in the reference. */
  private readonly specials = new Set<string>();
  /** The text of tokens as the vocabulary spells them. */
  readonly joinTokens: (tokens: string[]) => string;
  private readonly createStages: () => Stage[];

  /**
   * @param json a parsed tokenizer.json.
   * @param path of the file or its folder: named in errors; where a worker thread would load this tokenizer again.
   * @throws ERR_FORMAT, ERR_UNSUPPORTED.
   */
  constructor(
    json: JsonObject,
    readonly path: string,
    readonly settings: TokenizerSettings,
  ) {
    const part = (key: string): JsonObject | null => objectOrNull(json, key, path);
    const model = part('model');
    if (model === null) throw mismatch('ERR_FORMAT', `${path}: model`, 'an object', 'nothing');
    this.model = createVocabularyModel(model, `${path}: model`);
    const prefix = own(model, 'continuing_subword_prefix');
    this.subwordPrefix = typeof prefix === 'string' && prefix !== '' ? prefix : undefined;
    this.postProcessor = createPostProcessor(part('post_processor'), `${path}: post_processor`);
    this.joinTokens = createDecoder(part('decoder'), `${path}: decoder`);
    this.createStages = createStages(part('decoder'), `${path}: decoder`);
    const addedTokens = readAddedTokens(own(json, 'added_tokens'), `${path}: added_tokens`);
    const parts = {
      normalizer: part('normalizer'),
      preTokenizer: part('pre_tokenizer'),
      model: this.model,
      addedTokens,
      trim: this.postProcessor.trimOffsets ? this.postProcessor : null,
    };
    this.pipeline = new EncodingPipeline(parts, path);

    this.tokens = this.model.vocabulary.tokens.slice();
    for (const token of addedTokens) this.add(token);
    this.vocabSize = this.tokens.reduce((count) => count + 1, 0); // ids may have gaps
    this.specialIds = this.findSpecialIds();
  }

  /**
   * Opens the tokenizer of a folder (a tokenizer.json, or the older files that are made into one), or a
   * tokenizer.json with whatever lies beside it.
   * @throws ERR_NOT_FOUND, ERR_FILE, ERR_FORMAT, ERR_UNSUPPORTED.
   */
  static async load(folderOrFile: string): Promise<Tokenizer> {
    const { path, json, settings } = await readTokenizerFiles(folderOrFile);
    return new Tokenizer(json, path, settings);
  }

  private add(token: AddedToken): void {
    this.addedIds.set(token.content, token.id);
    this.tokens[token.id] = this.pipeline.contentOf(token);
    if (token.special) this.specials.add(token.content);
  }

  private findSpecialIds(): SpecialIds {
    const { specialTokens } = this.settings;
    const idOf = (role: keyof SpecialIds): number | undefined => {
      const token = specialTokens.get(role);
      return token === undefined ? undefined : this.tokenToId(token);
    };
    return {
      pad: idOf('pad'),
      cls: idOf('cls'),
      sep: idOf('sep'),
      mask: idOf('mask'),
      bos: idOf('bos'),
      eos: idOf('eos'),
      unk: idOf('unk') ?? this.unknownId,
    };
  }

  /** The id of what the vocabulary does not have; undefined where there is none, or everything is in it. */
  get unknownId(): number | undefined {
    const { unknownToken } = this.model;
    return unknownToken === undefined ? undefined : this.tokenToId(unknownToken);
  }

  tokenToId(token: string): number | undefined {
    return this.addedIds.get(token) ?? this.model.vocabulary.get(token);
  }

  idToToken(id: number): string | undefined {
    return this.tokens[id];
  }

  /** One more than the largest id: what a model's embeddings must have room for. */
  get idBound(): number {
    return this.tokens.length;
  }

  /** Whether an id is one of the special tokens, which stand for no text. */
  isSpecial(id: number): boolean {
    const token = this.tokens[id];
    return token !== undefined && this.specials.has(token);
  }

  /** How many special tokens `encode` puts around one text, or around a pair. */
  specialTokenCount(pair = false): number {
    return specialCount(pair ? this.postProcessor.pair : this.postProcessor.single);
  }

  /**
   * Ids of a text, or of a pair of texts. Lone surrogates count as U+FFFD.
   * @throws ERR_ARGUMENT for what is no text, or a `maxLength` without room for the special tokens.
   */
  encode(text: string, options: EncodeOptions = {}): Encoding {
    return fromCompact(this.encodeCompact(text, options, true) as Required<CompactEncoding>);
  }

  /** The same as `encode`, in typed arrays, and with offsets only if wanted. */
  encodeCompact(text: string, options: EncodeOptions = {}, withOffsets = false): CompactEncoding {
    checkText(text, 'text');
    const { pair, addSpecialTokens = true, maxLength } = options;
    if (pair !== undefined) checkText(pair, 'pair');
    if (maxLength !== undefined && !(Number.isSafeInteger(maxLength) && maxLength > 0)) {
      throw mismatch('ERR_ARGUMENT', 'maxLength', 'an integer of at least 1', describe(maxLength));
    }
    const { single: singleParts, pair: pairParts } = this.postProcessor;
    const parts = pair === undefined ? singleParts : pairParts;
    const special = addSpecialTokens ? specialCount(parts) : 0;

    // One id more than can be kept tells all that truncation needs to know of one text cut on its right;
    // of a pair, it must know which text is the longer one.
    const canStop = pair === undefined && this.settings.truncationSide === 'right';
    const enough = canStop && maxLength !== undefined ? maxLength + 1 : Infinity;
    const first = this.pipeline.encode(text.toWellFormed(), enough, withOffsets);
    const second =
      pair === undefined ? null : this.pipeline.encode(pair.toWellFormed(), enough, withOffsets);
    const [firstKept, secondKept] =
      maxLength === undefined
        ? [first.ids.length, second?.ids.length ?? 0]
        : keptLengths(first.ids.length, second?.ids.length ?? null, special, maxLength);

    const length = special + firstKept + secondKept;
    const ids = new Int32Array(length);
    const typeIds = new Int32Array(length);
    const offsets = withOffsets ? new Int32Array(2 * length) : undefined;
    const words = withOffsets ? new Int32Array(length).fill(-1) : undefined;
    let at = 0;
    for (const part of parts) {
      if (part.kind === 'special') {
        if (!addSpecialTokens) continue;
        ids.set(part.ids, at);
        typeIds.fill(part.type, at, at + part.ids.length);
        at += part.ids.length;
        continue;
      }
      const source = part.text === 'A' ? first : second!;
      const kept = part.text === 'A' ? firstKept : secondKept;
      const from = this.settings.truncationSide === 'right' ? 0 : source.ids.length - kept;
      for (let i = 0; i < kept; i++) ids[at + i] = source.ids[from + i]!;
      typeIds.fill(part.type, at, at + kept);
      if (offsets !== undefined) {
        for (let i = 0; i < 2 * kept; i++) offsets[2 * at + i] = source.offsets[2 * from + i]!;
        for (let i = 0; i < kept; i++) words![at + i] = source.words[from + i]!;
      }
      at += kept;
    }
    const overflowed = firstKept < first.ids.length || secondKept < (second?.ids.length ?? 0);
    return offsets === undefined
      ? { ids, typeIds, overflowed }
      : { ids, typeIds, offsets, words: words!, overflowed };
  }

  /**
   * The text of ids.
   * @throws ERR_INPUT for an id that is no token.
   */
  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const tokens: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const token = this.tokenToShow(ids[i]!, options, i);
      if (token !== undefined) tokens.push(token);
    }
    return this.joinTokens(tokens);
  }

  /** `decode` for ids that come one by one. */
  decodeIncrementally(options: DecodeOptions = {}): IncrementalDecoder {
    let index = 0;
    const tokenOf = (id: number): string | undefined => this.tokenToShow(id, options, index++);
    return new IncrementalDecoder(tokenOf, this.createStages());
  }

  /** `decodeIncrementally` up to the first of some strings. */
  decodeUntil(stops: readonly string[], options: DecodeOptions = {}): GeneratedText {
    return new GeneratedText(this.decodeIncrementally(options), stops);
  }

  /** Undefined for what is left out. @throws ERR_INPUT for an id that is no token. */
  private tokenToShow(
    id: number,
    { skipSpecialTokens = false, skipUnknownIds = false }: DecodeOptions,
    index: number,
  ): string | undefined {
    const token = this.tokens[id];
    if (token === undefined && !skipUnknownIds) {
      throw mismatch('ERR_INPUT', `decode: ids[${index}]`, `a token's id`, describe(id));
    }
    return token !== undefined && skipSpecialTokens && this.specials.has(token) ? undefined : token;
  }
}

function checkText(value: unknown, name: string): void {
  if (typeof value !== 'string') throw mismatch('ERR_ARGUMENT', name, 'a string', describe(value));
}
