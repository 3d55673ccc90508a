import { sliceOfGiven } from './aligned_text.js';
import { byteCharactersOf } from './byte_characters.js';
import { createNormalizer } from './normalizer.js';
import { createPreTokenizer } from './pre_tokenizer.js';
import type { JsonObject } from './tokenizer_json.js';
import type { TrainingPace } from './training_pace.js';

/** Words that are kept at most; above it, the rarest half goes, so that memory has an end whatever is read. */
const mostWords = 2 ** 21;

/** Of longer words this many characters at a time are learned from. */
const longestWord = 256;

/** How often each word of the texts occurs, cut as the tokenizer will cut them; in the order in which words were met. */
export async function countWords(
  texts: AsyncIterable<string> | Iterable<string>,
  parts: { normalizer: JsonObject | null; preTokenizer: JsonObject },
  pace: TrainingPace,
): Promise<Map<string, number>> {
  const normalize = createNormalizer(parts.normalizer, 'normalizer');
  const { split, bytes } = createPreTokenizer(parts.preTokenizer, 'pre_tokenizer');
  const counts = new Map<string, number>();
  const add = (word: string): void => {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  };
  let read = 0;
  for await (const given of texts) {
    const text = given.toWellFormed();
    // SentencePiece's words would have line breaks in them.
    for (const part of bytes ? [text] : text.split(/[\r\n]+/)) {
      if (part === '') continue;
      for (const { text: word } of split(normalize(sliceOfGiven(part, 0, part.length)))) {
        if (word.length <= longestWord) add(word);
        else for (const piece of piecesOf(word)) add(piece);
      }
    }
    read += text.length;
    if (counts.size > mostWords) forgetRarest(counts);
    if (pace.isDue) await pace.pause('count', read, undefined);
  }
  if (!bytes) return counts;
  const inBytes = new Map<string, number>();
  for (const [word, count] of counts) {
    let written = '';
    for (const character of word) written += byteCharactersOf(character);
    inBytes.set(written, count);
  }
  return inBytes;
}

function* piecesOf(word: string): Generator<string> {
  const characters = Array.from(word);
  for (let at = 0; at < characters.length; at += longestWord) {
    yield characters.slice(at, at + longestWord).join('');
  }
}

function forgetRarest(counts: Map<string, number>): void {
  const sorted = Float64Array.from(counts.values()).sort();
  const median = sorted[sorted.length >> 1] as number;
  for (const [word, count] of counts) if (count <= median) counts.delete(word);
}
