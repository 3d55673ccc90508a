/** SentencePiece's model files, as XLM-RoBERTa, CamemBERT, ALBERT and DeBERTa use them. */
import { HeddleError } from '../errors.js';
import {
  bertTemplate,
  type Conversion,
  type ConversionInput,
  replaceStep,
  sequence,
  surrounded,
  template,
} from './conversion.js';
import {
  type Piece,
  pieceType,
  readSentencePieceModel,
  type SentencePieceModel,
} from './sentence_piece_model.js';
import { specialFlags } from './tokenizer_classes.js';
import { flag, type JsonObject } from './tokenizer_json.js';

type Scored = readonly [piece: string, score: number];

/** @throws ERR_FORMAT, naming the byte; ERR_UNSUPPORTED for models of words or characters. */
export function convertSentencePiece(input: ConversionInput): Conversion {
  const { className, config, files, folder } = input;
  const [[name, bytes]] = [...files] as [[string, Buffer]];
  const path = `${folder}/${name}`;
  const proto = readSentencePieceModel(bytes, path);
  const isFairseq = className === 'XLMRobertaTokenizer' || className === 'CamembertTokenizer';
  const scored = scoredPieces(className, proto.pieces);
  const ids = new Map(scored.map(([piece], id) => [piece, id]));
  const marks = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true };
  const isDeberta = className === 'DebertaV2Tokenizer';
  const punctuation = flag(config, 'split_by_punct', false)
    ? [{ type: 'Punctuation', behavior: 'Isolated' }]
    : [];
  return {
    model: modelOf(proto, scored, ids, isFairseq ? 3 : proto.unknownId, path),
    idOf: (token) => ids.get(token),
    size: proto.modelType === 'BPE' ? ids.size : scored.length,
    addedTokens: proto.pieces
      .filter(({ type }) => type === pieceType.control || type === pieceType.userDefined)
      .map(({ piece, type }) => {
        return { ...specialFlags, content: piece, special: type === pieceType.control };
      }),
    normalizer: sequence('normalizers', normalizers(className, config, proto.charsmap)),
    preTokenizer: isDeberta ? sequence('pretokenizers', [...punctuation, marks]) : marks,
    decoder: marks,
    postProcessor: (idOf) =>
      isFairseq ? fairseqTemplate(idOf) : bertTemplate('[CLS]', '[SEP]', idOf),
  };
}

/** The vocabulary: fairseq's own special tokens stand before the pieces, in another order than SentencePiece's. */
function scoredPieces(className: string, pieces: readonly Piece[]): Scored[] {
  const own = pieces.map(({ piece, score }): Scored => [piece, score]);
  const zero = (...tokens: string[]): Scored[] => tokens.map((token) => [token, 0]);
  switch (className) {
    case 'XLMRobertaTokenizer':
      return [...zero('<s>', '<pad>', '</s>', '<unk>'), ...own.slice(3), ['<mask>', 0]];
    case 'CamembertTokenizer':
      return [
        ...zero('<s>NOTUSED', '<pad>', '</s>NOTUSED', '<unk>'),
        ['<unk>NOTUSED', -100],
        ...own.slice(1),
        ['<mask>', 0],
      ];
    case 'AlbertTokenizer':
      return own.map(([piece, score]) => [piece, digitAndComma.test(piece) ? score - 100 : score]);
    default:
      return own;
  }
}

/** ALBERT keeps commas apart from digits: those of every script, raised and circled ones among them. */
const digitAndComma = /[\p{Nd}²³¹፩-፱᧚⁰⁴-⁹₀-₉①-⑨⑴-⑼⒈-⒐⓪⓵-⓽⓿❶-❾➀-➈➊-➒𐩀-𐩃𐹠-𐹨𑁒-𑁚🄀-🄊],$/u;

function modelOf(
  proto: SentencePieceModel,
  scored: readonly Scored[],
  ids: ReadonlyMap<string, number>,
  unknownId: number,
  path: string,
): JsonObject {
  switch (proto.modelType) {
    case 'Unigram':
      return { type: 'Unigram', unk_id: unknownId, vocab: scored, byte_fallback: false };
    case 'BPE':
      return {
        type: 'BPE',
        dropout: null,
        unk_token: proto.unknownPiece,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: true,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Object.fromEntries(ids),
        merges: mergesOf(proto.pieces, scored),
      };
    default:
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `${path}: SentencePiece models of words or characters are not supported (Unigram and BPE are)`,
        { where: path, found: 'model_type of trainer_spec' },
      );
  }
}

/**
 * All ways to make a piece of two others, the best piece first. SentencePiece keeps no merges, only a
 * score for each piece, which falls with the rank of the merge that made it.
 */
function mergesOf(pieces: readonly Piece[], scored: readonly Scored[]): [string, string][] {
  const ids = new Map(pieces.map(({ piece }, id) => [piece, id]));
  const merges: { pair: [string, string]; score: number; lengths: [number, number] }[] = [];
  for (const [piece, score] of new Map(scored)) {
    const characters = [...piece];
    const pairs: { pair: [string, string]; lengths: [number, number] }[] = [];
    let left = '';
    for (let at = 1; at < characters.length; at++) {
      left += characters[at - 1];
      const right = piece.slice(left.length);
      if (!ids.has(left) || !ids.has(right)) continue;
      pairs.push({ pair: [left, right], lengths: [at, characters.length - at] });
    }
    pairs.sort(
      ({ pair: a }, { pair: b }) =>
        ids.get(a[0])! - ids.get(b[0])! || ids.get(a[1])! - ids.get(b[1])!,
    );
    merges.push(...pairs.map((pair) => ({ ...pair, score })));
  }
  merges.sort(
    (a, b) => b.score - a.score || b.lengths[0] - a.lengths[0] || b.lengths[1] - a.lengths[1],
  );
  return merges.map(({ pair }) => pair);
}

function normalizers(className: string, config: JsonObject, charsmap: Buffer): JsonObject[] {
  const precompiled =
    charsmap.length === 0
      ? []
      : [{ type: 'Precompiled', precompiled_charsmap: charsmap.toString('base64') }];
  const spaces = { Regex: ' {2,}' };
  const strip = (left: boolean) => ({ type: 'Strip', strip_left: left, strip_right: true });
  switch (className) {
    case 'AlbertTokenizer': {
      const unaccented = flag(config, 'keep_accents', false)
        ? []
        : [{ type: 'NFKD' }, { type: 'StripAccents' }];
      return [
        replaceStep({ String: '``' }, '"'),
        replaceStep({ String: "''" }, '"'),
        ...unaccented,
        ...(flag(config, 'do_lower_case', true) ? [{ type: 'Lowercase' }] : []),
        ...precompiled,
        replaceStep(spaces, ' '),
      ];
    }
    case 'DebertaV2Tokenizer':
      return [
        ...(flag(config, 'do_lower_case', false) ? [{ type: 'Lowercase' }] : []),
        strip(true),
        ...precompiled,
        replaceStep(spaces, ' '),
      ];
    default:
      return [...precompiled, strip(false), replaceStep(spaces, '▁')];
  }
}

/** Two separators between the texts of a pair, and one type for all. */
function fairseqTemplate(idOf: (token: string) => number): JsonObject {
  const single = surrounded('<s>', '</s>');
  return template(single, [...single, ['</s>', 0], ['$B', 0], ['</s>', 0]], idOf);
}
