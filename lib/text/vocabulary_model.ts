/** Models of a tokenizer: cut one word into the entries of a vocabulary. */
import { HeddleError } from '../errors.js';
import { bytePairModel } from './byte_pair_model.js';
import { type JsonObject, typeOf } from './tokenizer_json.js';
import { unigramModel } from './unigram_model.js';
import type { Vocabulary } from './vocabulary.js';
import { wordLevelModel } from './word_level_model.js';
import { wordPieceModel } from './word_piece_model.js';

/** The ids of a word, and for each id the units [start, end) of the word it stands for. */
export interface Pieces {
  readonly ids: ArrayLike<number>;
  readonly starts: ArrayLike<number>;
  readonly ends: ArrayLike<number>;
}

export interface VocabularyModel {
  /** Without the added tokens. */
  readonly vocabulary: Vocabulary;
  readonly unknownToken: string | undefined;
  /** @param word not empty. @throws ERR_INPUT for an unknown word where there is no unknown token. */
  encodeWord(word: string): Pieces;
}

/** @throws ERR_UNSUPPORTED for a type or option that is not here; ERR_FORMAT for a malformed model. */
export function createVocabularyModel(config: JsonObject, where: string): VocabularyModel {
  const type = typeOf(config, where);
  switch (type) {
    case 'WordPiece':
      return wordPieceModel(config, where);
    case 'BPE':
      return bytePairModel(config, where);
    case 'Unigram':
      return unigramModel(config, where);
    case 'WordLevel':
      return wordLevelModel(config, where);
    default:
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `${where}: the model '${type}' is not supported (WordPiece, BPE, Unigram and WordLevel are)`,
        { found: type, where },
      );
  }
}

const rememberedWords = 16_000;
const longestRemembered = 64;

/** Words repeat: the pieces of the last ones are kept, of 16,000 words at least and of twice as many at most. */
export function remembering(encodeWord: (word: string) => Pieces): (word: string) => Pieces {
  let recent = new Map<string, Pieces>();
  let older = recent;
  return (word) => {
    if (word.length > longestRemembered) return encodeWord(word);
    let pieces = recent.get(word);
    if (pieces !== undefined) return pieces;
    pieces = older.get(word) ?? encodeWord(word);
    if (recent.size === rememberedWords) {
      older = recent;
      recent = new Map();
    }
    recent.set(word, pieces);
    return pieces;
  };
}

/** One id for a whole word. */
export function wholeWord(word: string, id: number): Pieces {
  return { ids: [id], starts: [0], ends: [word.length] };
}
