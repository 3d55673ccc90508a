import { type JsonObject, own, textOr } from './tokenizer_json.js';
import { unknownWord } from './unknown_word.js';
import { readVocabulary } from './vocabulary.js';
import { type VocabularyModel, wholeWord } from './vocabulary_model.js';

/** Each word is a token, or unknown. */
export function wordLevelModel(config: JsonObject, where: string): VocabularyModel {
  const vocabulary = readVocabulary(own(config, 'vocab'), where);
  const unknownToken = textOr(config, 'unk_token', '<unk>', where);
  const unknownId = vocabulary.get(unknownToken);
  return {
    vocabulary,
    unknownToken: unknownId === undefined ? undefined : unknownToken,
    encodeWord(word) {
      const id = vocabulary.get(word) ?? unknownId;
      if (id === undefined) throw unknownWord(word, where);
      return wholeWord(word, id);
    },
  };
}
