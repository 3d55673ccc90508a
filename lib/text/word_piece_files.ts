/** vocab.txt of BERT and its kin: a token a line, its id the number of the line. */
import { HeddleError } from '../errors.js';
import {
  bertTemplate,
  type Conversion,
  type ConversionInput,
  surrounded,
  template,
} from './conversion.js';
import { strictText } from './optional_files.js';
import { flag, own } from './tokenizer_json.js';

/** @throws ERR_FORMAT, naming the line. */
export function convertWordPiece(input: ConversionInput): Conversion {
  const { className, config, specialTokens } = input;
  const path = `${input.folder}/vocab.txt`;
  const ids = readTokens(strictText(input.files.get('vocab.txt')!, path));
  const cls = specialTokens.get('cls') ?? '[CLS]';
  const sep = specialTokens.get('sep') ?? '[SEP]';
  const unknown = specialTokens.get('unk') ?? '[UNK]';
  if (!ids.has(unknown)) {
    throw new HeddleError(
      'ERR_FORMAT',
      `${path}: expected the unknown token '${unknown}' among ${ids.size} tokens, found none`,
      { where: path, expected: unknown },
    );
  }
  return {
    model: {
      type: 'WordPiece',
      unk_token: unknown,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(ids),
    },
    idOf: (token) => ids.get(token),
    size: ids.size,
    addedTokens: [],
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: flag(config, 'tokenize_chinese_chars', true),
      strip_accents: own(config, 'strip_accents') ?? null,
      lowercase: flag(config, 'do_lower_case', true),
    },
    preTokenizer: { type: 'BertPreTokenizer' },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    postProcessor: (idOf) =>
      className === 'MPNetTokenizer' ? mpnetTemplate(cls, sep, idOf) : bertTemplate(cls, sep, idOf),
  };
}

/** Between the texts of a pair MPNet has two separators. */
function mpnetTemplate(cls: string, sep: string, idOf: (token: string) => number) {
  const single = surrounded(cls, sep);
  return template(single, [...single, [sep, 0], ['$B', 1], [sep, 1]], idOf);
}

/** Every line has an id, also an empty one; of a token that is there twice the last counts, as in Python. */
function readTokens(text: string): Map<string, number> {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return new Map(lines.map((token, id) => [token, id]));
}
