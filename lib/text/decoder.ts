/** Decoders: from the tokens of ids back to a text. */
import { HeddleError, mismatch } from '../errors.js';
import { byteOf } from './byte_characters.js';
import { byteToken } from './byte_fallback.js';
import { decoders } from './hugging_face.js';
import { readPattern } from './pattern.js';
import {
  describe,
  flag,
  integer,
  type JsonObject,
  objectsOf,
  own,
  textOr,
  typeOf,
} from './tokenizer_json.js';

/** One step, from the pieces of a text to its pieces; the text is what they are joined together. */
export type Step = (pieces: string[]) => string[];

/** @throws ERR_UNSUPPORTED for a type that is not here; ERR_FORMAT for a malformed one. */
export function createDecoder(
  config: JsonObject | null,
  where: string,
): (tokens: string[]) => string {
  if (config === null) return (tokens) => tokens.join(' ');
  const step = createStep(config, where);
  return (tokens) => step(tokens).join('');
}

/** Those of @huggingface/tokenizers that are right, with what they are called there. */
const packaged: Readonly<Record<string, keyof typeof decoders>> = {
  BPEDecoder: 'BPEDecoder',
  Fuse: 'FuseDecoder',
  Strip: 'StripDecoder',
  Replace: 'ReplaceDecoder',
};

/** One decoder of a tokenizer.json. */
export function createStep(config: JsonObject, where: string): Step {
  const type = typeOf(config, where);
  const name = Object.hasOwn(packaged, type) ? packaged[type] : undefined;
  if (name) {
    checkMembers(config, where);
    const decoder = new decoders[name](config);
    return (pieces) => decoder.decode_chain(pieces);
  }
  switch (type) {
    case 'Sequence': {
      const steps = objectsOf(config, 'decoders', where).map((each, i) =>
        createStep(each, `${where}: decoders[${i}]`),
      );
      return (pieces) => steps.reduce((result, step) => step(result), pieces);
    }
    case 'ByteLevel':
      return (pieces) => [text(bytesOf(pieces))];
    case 'ByteFallback':
      return byteFallback;
    case 'WordPiece':
      return wordPiece(textOr(config, 'prefix', '##', where), flag(config, 'cleanup', true));
    case 'Metaspace':
      return metaspace(config, where);
    case 'CTC':
      return connectionist(config, where);
    default:
      throw new HeddleError('ERR_UNSUPPORTED', `${where}: the decoder '${type}' is not supported`, {
        found: type,
        where,
      });
  }
}

/** What the package takes as it comes. */
function checkMembers(config: JsonObject, where: string): void {
  if (config.type === 'Replace') {
    readPattern(own(config, 'pattern'), where);
    textOr(config, 'content', '', where);
  } else if (config.type === 'BPEDecoder') {
    textOr(config, 'suffix', '</w>', where);
  } else if (config.type === 'Strip') {
    for (const side of ['start', 'stop']) integer(config, side, 0, where);
    const content = textOr(config, 'content', ' ', where);
    if (content === '') {
      throw mismatch('ERR_FORMAT', `${where}: content`, 'one character', describe(content));
    }
  }
}

const encoder = new TextEncoder();
const lossy = new TextDecoder('utf-8', { ignoreBOM: true });
const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

const text = (bytes: number[]): string => lossy.decode(Uint8Array.from(bytes));

/** A token with a character that stands for no byte is text. */
export function bytesOf(tokens: readonly string[]): number[] {
  const bytes: number[] = [];
  for (const token of tokens) {
    const own = Array.from(token, byteOf);
    if (own.includes(undefined)) for (const byte of encoder.encode(token)) bytes.push(byte);
    else for (const byte of own) bytes.push(byte!);
  }
  return bytes;
}

/** Runs of byte tokens become text, or, where they are no UTF-8, a U+FFFD each. */
function byteFallback(pieces: string[]): string[] {
  const result: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length === 0) return;
    try {
      result.push(strict.decode(Uint8Array.from(bytes)));
    } catch {
      for (let i = 0; i < bytes.length; i++) result.push('\ufffd');
    }
    bytes = [];
  };
  for (const piece of pieces) {
    const byte = byteToken.exec(piece)?.[1];
    if (byte !== undefined) {
      bytes.push(Number.parseInt(byte, 16));
      continue;
    }
    flush();
    result.push(piece);
  }
  flush();
  return result;
}

function wordPiece(prefix: string, cleanup: boolean): Step {
  return (pieces) =>
    pieces.map((piece, i) => {
      let result = piece;
      if (i > 0) result = piece.startsWith(prefix) ? piece.slice(prefix.length) : ` ${piece}`;
      return cleanup ? cleanUp(result) : result;
    });
}

/** The spaces that English does not have, in the reference's order. */
const cleanUps: readonly [string, string][] = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [' do not', " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

function cleanUp(piece: string): string {
  return cleanUps.reduce((result, [from, to]) => result.replaceAll(from, to), piece);
}

function metaspace(config: JsonObject, where: string): Step {
  const mark = textOr(config, 'replacement', '▁', where);
  const scheme = textOr(config, 'prepend_scheme', 'always', where);
  const dropsFirst = scheme !== 'never' && flag(config, 'add_prefix_space', true);
  return (pieces) =>
    pieces.map((piece, i) => piece.replaceAll(mark, i === 0 && dropsFirst ? '' : ' '));
}

/** Connectionist temporal classification (Graves et al. 2006): repeated tokens are one, blanks none. */
function connectionist(config: JsonObject, where: string): Step {
  const blank = textOr(config, 'pad_token', '<pad>', where);
  const delimiter = textOr(config, 'word_delimiter_token', '|', where);
  const cleanup = flag(config, 'cleanup', true);
  return (pieces) =>
    pieces
      .filter((piece, i) => piece !== pieces[i - 1])
      .map((piece) => {
        const spoken = piece.replaceAll(blank, '');
        return cleanup ? cleanUp(spoken).replaceAll(delimiter, ' ') : spoken;
      })
      .filter((piece) => piece !== '');
}
