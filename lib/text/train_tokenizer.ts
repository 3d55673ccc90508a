import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HeddleError, mismatch } from '../errors.js';
import { byteCharacters } from './byte_characters.js';
import { trainBytePairs } from './byte_pair_training.js';
import { newTokenizer } from './new_tokenizer.js';
import { Tokenizer } from './tokenizer.js';
import type { Role } from './tokenizer_classes.js';
import type { JsonObject } from './tokenizer_json.js';
import { settingsOf, type TrainTokenizerOptions } from './tokenizer_training_options.js';
import { TrainingPace } from './training_pace.js';
import { type Scored, trainUnigram } from './unigram_training.js';
import { countWords } from './word_counts.js';

/** What SentencePiece and GPT-2 call the roles. */
const usualRoles: readonly (readonly [Role, readonly string[]])[] = [
  ['unk', ['<unk>']],
  ['bos', ['<s>', '<|endoftext|>']],
  ['eos', ['</s>', '<|endoftext|>']],
  ['pad', ['<pad>']],
  ['mask', ['<mask>']],
];

/** A tokenizer that was learned, to be used and written. */
export class TrainedTokenizer {
  readonly tokenizer: Tokenizer;

  /** @param json what its tokenizer.json holds. @param config what its tokenizer_config.json holds. */
  constructor(
    readonly json: JsonObject,
    readonly config: JsonObject,
    roles: ReadonlyMap<Role, string>,
  ) {
    this.tokenizer = new Tokenizer(json, 'tokenizer.json', {
      specialTokens: roles,
      modelMaxLength: undefined,
      truncationSide: 'right',
      config,
    });
  }

  /** Writes tokenizer.json and tokenizer_config.json, which Python's tokenizers and transformers open. @throws ERR_FILE. */
  async save(folder: string): Promise<void> {
    try {
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'tokenizer.json'), `${JSON.stringify(this.json)}\n`);
      const config = `${JSON.stringify(this.config, null, 2)}\n`;
      await writeFile(join(folder, 'tokenizer_config.json'), config);
    } catch (cause) {
      const message = `${folder}: a tokenizer cannot be written (${(cause as Error).message})`;
      throw new HeddleError('ERR_FILE', message, { where: folder, cause });
    }
  }
}

/**
 * Learns a tokenizer from texts, which are read once, one after the other. Memory follows the different words, of which
 * 2 million are kept. The same texts give the same tokenizer.
 * @throws ERR_ARGUMENT; ERR_INPUT for texts without a word, or a vocabulary that has no room for them.
 */
export async function trainTokenizer(
  texts: AsyncIterable<string> | Iterable<string>,
  options: TrainTokenizerOptions = {},
): Promise<TrainedTokenizer> {
  const settings = settingsOf(options);
  const { type, vocabSize, byteFallback, special, addPrefixSpace, normalizer } = settings;
  const pace = new TrainingPace(options.signal, options.onProgress);
  const preTokenizer = byteFallback
    ? {
        type: 'Metaspace',
        replacement: '▁',
        prepend_scheme: addPrefixSpace ? 'always' : 'never',
        split: true,
      }
    : { type: 'ByteLevel', add_prefix_space: addPrefixSpace, trim_offsets: true, use_regex: true };
  const counts = await countWords(texts, { normalizer, preTokenizer }, pace);
  if (counts.size === 0) {
    throw mismatch('ERR_INPUT', 'trainTokenizer: texts', 'at least one word', 'none');
  }
  const reserved = [...special, ...(byteFallback ? byteTokens : [])];
  const room = vocabSize - reserved.length;
  const alphabet = byteFallback
    ? coveringAlphabet(counts, settings.characterCoverage, room)
    : new Map(byteCharacters.map((character) => [character, 1]));
  if (room < alphabet.size) {
    const expected = `at least ${reserved.length + alphabet.size}, for special tokens, bytes and characters`;
    throw mismatch('ERR_INPUT', 'trainTokenizer: vocabSize', expected, String(vocabSize));
  }
  const model =
    type === 'bpe'
      ? bytePairJson(
          await trainBytePairs(
            counts,
            {
              reserved,
              alphabet: [...alphabet.keys()].sort(byCodePoint),
              vocabSize,
              minFrequency: settings.minFrequency,
            },
            pace,
          ),
          byteFallback ? special[0] : undefined,
        )
      : unigramJson(special, await trainUnigram(counts, { alphabet, size: room }, pace));
  await pace.pause('learn', 1, 1);
  const json = newTokenizer(special, {
    normalizer,
    preTokenizer,
    decoder: byteFallback ? fallbackDecoder(addPrefixSpace) : preTokenizer, // ByteLevel is both
    model,
  });
  const roles = new Map<Role, string>();
  for (const [role, names] of usualRoles) {
    const token = names.find((name) => special.includes(name));
    if (token !== undefined) roles.set(role, token);
  }
  const named = Array.from(roles, ([role, token]) => [`${role}_token`, token]);
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
    ...Object.fromEntries(named),
  };
  return new TrainedTokenizer(json, config, roles);
}

/** How vocabularies with byte fallback write a byte. */
const byteTokens = byteCharacters.map(
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
);

const printable = Array.from({ length: 0x7e - 0x20 }, (_, i) => String.fromCharCode(0x21 + i));

/**
 * Characters that make up so much of the words, with how often they occur; of half the room at most. Those of ASCII, and the
 * mark of a space, are always among them: then no text has to be written with what stands for a byte.
 */
function coveringAlphabet(
  counts: ReadonlyMap<string, number>,
  coverage: number,
  room: number,
): Map<string, number> {
  const found = new Map<string, number>();
  let all = 0;
  for (const [word, count] of counts) {
    for (const character of word) {
      found.set(character, (found.get(character) ?? 0) + count);
      all += count;
    }
  }
  const always = ['▁', ...printable];
  const alphabet = new Map(always.map((character) => [character, found.get(character) ?? 0]));
  let covered = [...alphabet.values()].reduce((sum, count) => sum + count, 0);
  const byCount = [...found].sort((a, b) => b[1] - a[1] || byCodePoint(a[0], b[0]));
  for (const [character, count] of byCount) {
    if (covered >= coverage * all || alphabet.size >= room / 2) break;
    if (alphabet.has(character)) continue;
    alphabet.set(character, count);
    covered += count;
  }
  return alphabet;
}

const byCodePoint = (a: string, b: string): number =>
  (a.codePointAt(0) as number) - (b.codePointAt(0) as number);

function bytePairJson(
  { tokens, merges }: { tokens: readonly string[]; merges: readonly (readonly string[])[] },
  unknown: string | undefined,
): JsonObject {
  const byteFallback = unknown !== undefined;
  return {
    type: 'BPE',
    dropout: null,
    unk_token: unknown ?? null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: byteFallback,
    byte_fallback: byteFallback,
    ignore_merges: false,
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges,
  };
}

/** Special tokens and bytes cost more than their characters one by one, so that no text is written with them by chance. */
function unigramJson(special: readonly string[], learned: readonly Scored[]): JsonObject {
  const least = learned.reduce((worst, [, score]) => Math.min(worst, score), 0);
  const costly = (token: string): Scored => [token, least * (token.length + 1)];
  return {
    type: 'Unigram',
    unk_id: 0,
    byte_fallback: true,
    vocab: [...special.map(costly), ...byteTokens.map(costly), ...learned],
  };
}

const fallbackDecoder = (addPrefixSpace: boolean): JsonObject => ({
  type: 'Sequence',
  decoders: [
    { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
    ...(addPrefixSpace ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
  ],
});
