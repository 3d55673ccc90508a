import { mismatch } from '../errors.js';
import { byteIds } from './byte_fallback.js';
import { describe, flag, isId, type JsonObject, own } from './tokenizer_json.js';
import { unknownWord } from './unknown_word.js';
import { root, Vocabulary } from './vocabulary.js';
import type { Pieces, VocabularyModel } from './vocabulary_model.js';

/** How much worse than the worst token an unknown character is (SentencePiece, `kUnkPenalty`). */
const unknownPenalty = 10;

/** A word for which more than so many units were needed gives its memory back. */
const keptUnits = 2 ** 16;

/**
 * Of all ways to cut a word into tokens, the one whose log probabilities have the greatest sum (Kudo
 * 2018), found by Viterbi's algorithm: for each place of the word, the best way to get there. What no
 * token begins with is an unknown character, and neighbouring ones are one token.
 */
export function unigramModel(config: JsonObject, where: string): VocabularyModel {
  const { vocabulary, scores } = readScored(own(config, 'vocab'), where);
  const unknown = own(config, 'unk_id') ?? undefined;
  const unknownId = isId(unknown) && unknown < scores.length ? unknown : undefined;
  if (unknownId !== unknown) {
    const expected = `null or the number of one of ${scores.length} tokens`;
    throw mismatch('ERR_FORMAT', `${where}: unk_id`, expected, describe(unknown));
  }
  const unknownScore = scores.reduce((least, score) => Math.min(least, score), Infinity);
  const idsOfBytes = flag(config, 'byte_fallback', false) ? byteIds(vocabulary) : undefined;

  // For each place of a word: the score of the best way there, and where and with which id its last token begins.
  let bestScores = new Float64Array(0);
  let bestStarts = new Int32Array(0);
  let bestIds = new Int32Array(0);
  const makeRoom = (units: number): void => {
    if (bestScores.length > units && (bestScores.length <= keptUnits || units > keptUnits)) return;
    bestScores = new Float64Array(Math.max(256, 2 * units));
    bestStarts = new Int32Array(bestScores.length);
    bestIds = new Int32Array(bestScores.length);
  };

  const offer = (end: number, start: number, id: number, score: number): void => {
    if (bestStarts[end] !== -1 && !(score > bestScores[end]!)) return;
    bestScores[end] = score;
    bestStarts[end] = start;
    bestIds[end] = id;
  };

  function findBest(word: string): void {
    makeRoom(word.length);
    bestStarts.fill(-1, 0, word.length + 1);
    bestScores[0] = 0;
    for (let start = 0; start < word.length; ) {
      const isPair = word.codePointAt(start)! > 0xffff;
      const next = start + (isPair ? 2 : 1);
      const score = bestScores[start]!;
      let hasCharacter = false;
      let node = root;
      for (let at = start; at < word.length; ) {
        node = vocabulary.next(node, word.charCodeAt(at++));
        if (node === root) break;
        const id = vocabulary.idAt(node);
        if (id === -1) continue;
        offer(at, start, id, score + scores[id]!);
        if (at === next) hasCharacter = true;
      }
      if (!hasCharacter) {
        if (unknownId === undefined) throw unknownWord(word.slice(start, next), where);
        offer(next, start, unknownId, score + unknownScore - unknownPenalty);
      }
      start = next;
    }
  }

  function encodeWord(word: string): Pieces {
    findBest(word);
    // From the last token to the first.
    const ids: number[] = [];
    const starts: number[] = [];
    const ends: number[] = [];
    const push = (id: number, start: number, end: number): void => {
      ids.push(id);
      starts.push(start);
      ends.push(end);
    };
    for (let end = word.length; end > 0; ) {
      let start = bestStarts[end]!;
      if (bestIds[end] !== unknownId) {
        push(bestIds[end]!, start, end);
      } else {
        while (start > 0 && bestIds[start] === unknownId) start = bestStarts[start]!;
        const text = word.slice(start, end);
        const bytes = vocabulary.get(text) === undefined ? idsOfBytes?.(text) : undefined;
        if (bytes === undefined) push(vocabulary.get(text) ?? unknownId!, start, end);
        else for (const id of bytes.reverse()) push(id, start, end);
      }
      end = start;
    }
    return { ids: ids.reverse(), starts: starts.reverse(), ends: ends.reverse() };
  }

  const unknownToken = unknownId === undefined ? undefined : vocabulary.tokens[unknownId];
  return { vocabulary, unknownToken, encodeWord };
}

/** A list of [token, log probability]; a token's id is its place. */
function readScored(
  vocab: unknown,
  where: string,
): { vocabulary: Vocabulary; scores: Float64Array } {
  if (!Array.isArray(vocab) || vocab.length === 0) {
    const expected = 'a list of tokens with their scores';
    throw mismatch('ERR_FORMAT', `${where}: vocab`, expected, describe(vocab));
  }
  const scores = new Float64Array(vocab.length);
  const tokens = vocab.map((entry: unknown, id): string => {
    const [token, score]: unknown[] = Array.isArray(entry) ? entry : [];
    if (typeof token !== 'string' || typeof score !== 'number') {
      const expected = 'a token and its score';
      throw mismatch('ERR_FORMAT', `${where}: vocab[${id}]`, expected, JSON.stringify(entry));
    }
    scores[id] = score;
    return token;
  });
  return { vocabulary: new Vocabulary(tokens), scores };
}
