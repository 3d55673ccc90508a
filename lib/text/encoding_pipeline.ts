import { HeddleError } from '../errors.js';
import { type AddedToken, AddedTokenFinder } from './added_tokens.js';
import {
  type AlignedText,
  endInWord,
  endOf,
  sliceOfGiven,
  startInWord,
  startOf,
} from './aligned_text.js';
import { inBytes } from './byte_level.js';
import { createNormalizer, type Normalizer } from './normalizer.js';
import { trimOffsets } from './offset_trimming.js';
import { createPreTokenizer, type PreTokenizer } from './pre_tokenizer.js';
import type { JsonObject } from './tokenizer_json.js';
import { type Pieces, remembering, type VocabularyModel } from './vocabulary_model.js';

/** Ids of one text without special tokens; offsets are start and end by turns, words which word each is of. */
export interface TextIds {
  readonly ids: number[];
  readonly offsets: number[];
  readonly words: number[];
}

export interface PipelineParts {
  readonly normalizer: JsonObject | null;
  readonly preTokenizer: JsonObject | null;
  readonly model: VocabularyModel;
  readonly addedTokens: readonly AddedToken[];
  /** Set where byte-level tokens lose the spaces at their ends from their offsets. */
  readonly trim: { readonly addPrefixSpace: boolean } | null;
}

/** The way from one text to its ids: added tokens, normalizer, pre-tokenizer, model. */
export class EncodingPipeline {
  private readonly normalizer: Normalizer;
  private readonly preTokenizer: PreTokenizer;
  private readonly encodeWord: (word: string) => Pieces;
  private readonly tokens: readonly string[];
  private readonly inGivenText: AddedTokenFinder;
  private readonly inNormalizedText: AddedTokenFinder;
  private readonly trim: PipelineParts['trim'];

  /** @param path named in errors. @throws ERR_FORMAT, ERR_UNSUPPORTED. */
  constructor(parts: PipelineParts, path: string) {
    const { model, addedTokens, trim } = parts;
    this.normalizer = createNormalizer(parts.normalizer, `${path}: normalizer`);
    this.preTokenizer = createPreTokenizer(parts.preTokenizer, `${path}: pre_tokenizer`);
    const { encodeWord } = model;
    this.encodeWord = remembering(this.preTokenizer.bytes ? inBytes(encodeWord) : encodeWord);
    this.tokens = model.vocabulary.tokens;
    this.trim = trim;
    const [normalized, given] = [true, false].map((wanted) =>
      addedTokens.filter((token) => token.normalized === wanted),
    );
    const contentOf = (token: AddedToken): string => this.contentOf(token);
    this.inGivenText = new AddedTokenFinder(given!, contentOf);
    this.inNormalizedText = new AddedTokenFinder(normalized!, contentOf);
  }

  /** An added token as it is found in the text, which is how the reference writes it too. */
  contentOf({ content, normalized }: AddedToken): string {
    if (!normalized) return content;
    return this.normalizer(sliceOfGiven(content, 0, content.length)).text;
  }

  /**
   * At least `enough` ids, if the text has so many.
   * @param text without lone surrogates.
   * @throws ERR_INPUT for an unknown word where there is no unknown token, and for a word of millions of characters.
   */
  encode(text: string, enough: number, withOffsets: boolean): TextIds {
    try {
      return this.encodeSections(text, enough, withOffsets);
    } catch (cause) {
      // The stack on which regular expressions remember where they could go on has an end.
      if (!(cause instanceof RangeError)) throw cause;
      throw new HeddleError(
        'ERR_INPUT',
        `encode: expected a text whose words fit the tokenizer's regular expressions, found one of ` +
          `${text.length} units (${cause.message}); cut it into shorter texts`,
        { found: `${text.length} units`, cause },
      );
    }
  }

  private encodeSections(text: string, enough: number, withOffsets: boolean): TextIds {
    const found: TextIds = { ids: [], offsets: [], words: [] };
    const { ids, offsets, words } = found;
    const trimmed: string[] | null = withOffsets && this.trim !== null ? [] : null;
    for (const { id, text: source } of this.sections(text)) {
      if (id === null) {
        this.encodeSection(source, enough, found, withOffsets, trimmed);
      } else {
        ids.push(id);
        if (withOffsets) {
          offsets.push(startOf(source, 0), endOf(source, source.text.length));
          words.push(nextWord(words));
        }
        trimmed?.push(source.text);
      }
      if (ids.length >= enough) break;
    }
    if (trimmed !== null) trimOffsets(offsets, trimmed, text, this.trim!.addPrefixSpace);
    return found;
  }

  private encodeSection(
    source: AlignedText,
    enough: number,
    { ids, offsets, words }: TextIds,
    withOffsets: boolean,
    trimmed: string[] | null,
  ): void {
    for (const word of this.preTokenizer.split(source)) {
      const pieces = this.encodeWord(word.text);
      const number = withOffsets ? nextWord(words) : 0;
      for (let i = 0; i < pieces.ids.length; i++) {
        const id = pieces.ids[i]!;
        ids.push(id);
        if (withOffsets) {
          offsets.push(startInWord(word, pieces.starts[i]!), endInWord(word, pieces.ends[i]!));
          words.push(number);
        }
        trimmed?.push(this.tokens[id]!);
      }
      if (ids.length >= enough) return;
    }
  }

  /** Added tokens and normalised text between them. */
  private *sections(text: string): Generator<{ id: number | null; text: AlignedText }> {
    for (const section of this.inGivenText.split(sliceOfGiven(text, 0, text.length))) {
      if (section.id !== null) yield section;
      else yield* this.inNormalizedText.split(this.normalizer(section.text));
    }
  }
}

const nextWord = (words: readonly number[]): number => (words.at(-1) ?? -1) + 1;
