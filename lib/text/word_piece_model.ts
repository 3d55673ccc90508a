import { mismatch } from '../errors.js';
import { integer, type JsonObject, own, textOr } from './tokenizer_json.js';
import { readVocabulary, root } from './vocabulary.js';
import { type Pieces, type VocabularyModel, wholeWord } from './vocabulary_model.js';

/**
 * Longest match first, from left to right (Schuster and Nakajima 2012; Devlin et al. 2018,
 * `WordpieceTokenizer`); a word with a part that is not in the vocabulary is unknown as a whole.
 */
export function wordPieceModel(config: JsonObject, where: string): VocabularyModel {
  const vocabulary = readVocabulary(own(config, 'vocab'), where);
  const unknownToken = textOr(config, 'unk_token', '[UNK]', where);
  const unknownId = vocabulary.get(unknownToken);
  if (unknownId === undefined) {
    throw mismatch('ERR_FORMAT', `${where}: unk_token`, 'a token of the vocabulary', unknownToken);
  }
  const prefix = textOr(config, 'continuing_subword_prefix', '##', where);
  const continuing = vocabulary.walk(prefix);
  const hasContinuing = prefix === '' || continuing !== root;
  const maxCharacters = integer(config, 'max_input_chars_per_word', 100, where);

  function encodeWord(word: string): Pieces {
    const unknown = wholeWord(word, unknownId!);
    // A character has one unit or two.
    if (word.length > maxCharacters && [...word].length > maxCharacters) return unknown;
    const ids: number[] = [];
    const starts: number[] = [];
    const ends: number[] = [];
    for (let start = 0; start < word.length; ) {
      if (start > 0 && !hasContinuing) return unknown;
      let node = start === 0 ? root : continuing;
      let found = -1;
      let end = start;
      for (let at = start; at < word.length; ) {
        node = vocabulary.next(node, word.charCodeAt(at++));
        if (node === root) break;
        const id = vocabulary.idAt(node);
        if (id === -1) continue;
        found = id;
        end = at;
      }
      if (found === -1) return unknown;
      ids.push(found);
      starts.push(start);
      ends.push(end);
      start = end;
    }
    return { ids, starts, ends };
  }
  return { vocabulary, unknownToken, encodeWord };
}
