/** vocab.json and merges.txt of byte-level byte-pair encoding: GPT-2's files, which RoBERTa and Qwen2 have too. */
import { mismatch } from '../errors.js';
import {
  type Conversion,
  type ConversionInput,
  type Part,
  sequence,
  template,
} from './conversion.js';
import { strictText } from './optional_files.js';
import { describe, flag, idLimit, isId, type JsonObject, parseObject } from './tokenizer_json.js';

/** How Qwen2 cuts words: at most one digit to a word, punctuation with the line ends behind it. */
const qwenWords = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

/** @throws ERR_FORMAT, naming the line of a merge. */
export function convertBytePairs(input: ConversionInput): Conversion {
  const { className, config } = input;
  const path = (name: string): string => `${input.folder}/${name}`;
  const text = (name: string): string => strictText(input.files.get(name)!, path(name));
  const vocab = parseObject(text('vocab.json'), path('vocab.json'));
  const ids = readIds(vocab, path('vocab.json'));
  const lines = text('merges.txt').split('\n');
  const isQwen = className === 'Qwen2Tokenizer';
  const merges = readMerges(isQwen ? qwenLines(lines) : gptLines(lines), ids, path('merges.txt'));
  const prefixes = flag(config, 'add_prefix_space', false);
  const byteLevel = {
    type: 'ByteLevel',
    add_prefix_space: prefixes,
    trim_offsets: true,
    use_regex: !isQwen,
  };
  const split = {
    type: 'Split',
    pattern: { Regex: qwenWords },
    behavior: 'Isolated',
    invert: false,
  };
  return {
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges,
    },
    idOf: (token) => ids.get(token),
    size: ids.size,
    addedTokens: [],
    normalizer: isQwen ? { type: 'NFC' } : null,
    preTokenizer: isQwen ? sequence('pretokenizers', [split, byteLevel]) : byteLevel,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    postProcessor: (idOf) => postProcessor(input, prefixes, idOf),
  };
}

function postProcessor(
  { className, config, specialTokens }: ConversionInput,
  prefixes: boolean,
  idOf: (token: string) => number,
): JsonObject {
  if (className === 'RobertaTokenizer') {
    const cls = specialTokens.get('cls') ?? '<s>';
    const sep = specialTokens.get('sep') ?? '</s>';
    return {
      type: 'RobertaProcessing',
      sep: [sep, idOf(sep)],
      cls: [cls, idOf(cls)],
      trim_offsets: flag(config, 'trim_offsets', true),
      add_prefix_space: prefixes,
    };
  }
  const bos = specialTokens.get('bos');
  if (className === 'GPT2Tokenizer' && flag(config, 'add_bos_token', false) && bos !== undefined) {
    const single = [bos, '$A'].map((name): Part => [name, 0]);
    return template(single, [...single, ['$B', 1]], idOf);
  }
  return { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true };
}

function readIds(vocab: JsonObject, path: string): Map<string, number> {
  const ids = new Map<string, number>();
  for (const [token, id] of Object.entries(vocab)) {
    if (!isId(id)) {
      const expected = `an integer from 0 to ${idLimit - 1}`;
      throw mismatch('ERR_FORMAT', `${path}: the id of '${token}'`, expected, describe(id));
    }
    ids.set(token, id);
  }
  return ids;
}

type Line = readonly [text: string, number: number];

/** The reference drops the first line, which states a version, and what stands behind the last line feed. */
function gptLines(lines: readonly string[]): Line[] {
  return lines.map((line, i): Line => [line, i + 1]).slice(1, -1);
}

function qwenLines(lines: readonly string[]): Line[] {
  return lines
    .map((line, i): Line => [line.trim(), i + 1])
    .filter(([line, number]) => line !== '' && !(number === 1 && line.startsWith('#version:')));
}

/** Of a merge that is there twice, the first counts. */
function readMerges(
  lines: readonly Line[],
  ids: ReadonlyMap<string, number>,
  path: string,
): [string, string][] {
  const merges = new Map<string, [string, string]>();
  for (const [line, number] of lines) {
    const words = line.split(/\s+/).filter((word) => word !== '');
    const [left, right] = words;
    const fits = words.length === 2 && [left!, right!, left! + right!].every((t) => ids.has(t));
    if (!fits) {
      const expected = 'two tokens that make a third';
      throw mismatch('ERR_FORMAT', `${path}: line ${number}`, expected, describe(line));
    }
    const key = `${left} ${right}`;
    if (!merges.has(key)) merges.set(key, [left!, right!]);
  }
  return [...merges.values()];
}
