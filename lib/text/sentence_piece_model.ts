/**
 * A strict reader of SentencePiece's model files: a ModelProto in the wire format of Protocol Buffers
 * (sentencepiece_model.proto of google/sentencepiece), of which only what conversion needs is kept.
 */
import { isUtf8 } from 'node:buffer';
import { HeddleError } from '../errors.js';
import { idLimit } from './tokenizer_json.js';

/** Types of pieces; a normal one is 1, an unused one 5, a byte 6. */
export const pieceType = { unknown: 2, control: 3, userDefined: 4 } as const;

export interface Piece {
  readonly piece: string;
  /** A log probability, or the negated rank of a merge. */
  readonly score: number;
  readonly type: number;
}

export interface SentencePieceModel {
  readonly pieces: readonly Piece[];
  readonly modelType: 'Unigram' | 'BPE' | 'other';
  readonly unknownId: number;
  readonly unknownPiece: string;
  /** Empty for a normalisation that changes nothing. */
  readonly charsmap: Buffer;
}

/** Longer than any piece known; the time that merges of a piece take grows with its square. */
const longestPiece = 512;

const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
const wireNames = new Map(Object.entries(wire).map(([name, type]) => [type as number, name]));

/** One message: the fields between two places of a file. */
class Message {
  private field = 0;
  private wireType = 0;

  constructor(
    private readonly bytes: Buffer,
    private at: number,
    private readonly end: number,
    private readonly path: string,
  ) {}

  /** The number of the next field; undefined at the end. Its value must be read, or skipped. */
  next(): number | undefined {
    if (this.at === this.end) return undefined;
    const start = this.at;
    const key = this.varint();
    this.field = Math.floor(key / 8);
    this.wireType = key % 8;
    if (this.field < 1 || this.field >= 2 ** 29 || !wireNames.has(this.wireType)) {
      throw this.error(start, 'the key of a field', `${key}`);
    }
    return this.field;
  }

  skip(): void {
    if (this.wireType === wire.varint) this.varint();
    else if (this.wireType === wire.bytes) this.span();
    else this.take(this.wireType === wire.fixed64 ? 8 : 4);
  }

  /** Of 32 bits, with its sign. */
  integer(): number {
    this.expect(wire.varint);
    return this.varint() | 0;
  }

  float(): number {
    this.expect(wire.fixed32);
    const start = this.take(4);
    const value = this.bytes.readFloatLE(start);
    if (!Number.isFinite(value)) throw this.error(start, 'a finite score', `${value}`);
    return value;
  }

  buffer(): Buffer {
    this.expect(wire.bytes);
    const { start, end } = this.span();
    return this.bytes.subarray(start, end);
  }

  text(): string {
    const value = this.buffer();
    if (isUtf8(value)) return value.toString();
    throw this.error(this.at - value.length, 'UTF-8', 'other bytes');
  }

  message(): Message {
    this.expect(wire.bytes);
    const { start, end } = this.span();
    return new Message(this.bytes, start, end, this.path);
  }

  /** @param at the place in the file; that which is next to be read where none is given. */
  error(at: number | undefined, expected: string, found: string): HeddleError {
    const where = `${this.path}: byte ${at ?? this.at}`;
    return new HeddleError(
      'ERR_FORMAT',
      `${where}: expected ${expected}, found ${found}; it is no SentencePiece model, or a damaged one`,
      { where, expected, found },
    );
  }

  private expect(type: number): void {
    if (this.wireType === type) return;
    const expected = `field ${this.field} as ${wireNames.get(type)}`;
    throw this.error(undefined, expected, `${wireNames.get(this.wireType)}`);
  }

  private span(): { start: number; end: number } {
    const length = this.varint();
    const start = this.take(length);
    return { start, end: this.at };
  }

  /** Passes some bytes; returns where they start. */
  private take(length: number): number {
    const start = this.at;
    if (length > this.end - start) {
      throw this.error(start, `${length} bytes`, `${this.end - start} before the end`);
    }
    this.at += length;
    return start;
  }

  /** Bits above the 53rd, which only a negative number has, are lost. */
  private varint(): number {
    const start = this.at;
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at === this.end) throw this.error(start, 'a number', 'the end');
      const byte = this.bytes[this.at++]!;
      if (shift < 49) value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw this.error(start, 'a number of at most 10 bytes', 'more');
  }
}

/** @throws ERR_FORMAT, naming the byte. */
export function readSentencePieceModel(bytes: Buffer, path: string): SentencePieceModel {
  const root = new Message(bytes, 0, bytes.length, path);
  const pieces: Piece[] = [];
  const seen = new Set<string>();
  const trainer = { type: 1, unknownId: 0, unknownPiece: '<unk>' };
  let charsmap: Buffer = Buffer.alloc(0);
  for (let field = root.next(); field !== undefined; field = root.next()) {
    if (field === 1) {
      const message = root.message();
      const piece = readPiece(message);
      if (seen.has(piece.piece)) {
        throw message.error(undefined, 'another piece', `'${piece.piece}' once more`);
      }
      if (pieces.length === idLimit) {
        throw message.error(undefined, `at most ${idLimit} pieces`, 'more');
      }
      seen.add(piece.piece);
      pieces.push(piece);
    } else if (field === 2) {
      readTrainer(root.message(), trainer);
    } else if (field === 3) {
      charsmap = readCharsmap(root.message()) ?? charsmap;
    } else {
      root.skip();
    }
  }
  const { type, unknownId, unknownPiece } = trainer;
  if (pieces.filter((piece) => piece.type === pieceType.unknown).length !== 1) {
    throw root.error(undefined, 'one piece for what is unknown', 'none or several');
  }
  if (!(unknownId >= 0 && unknownId < pieces.length)) {
    throw root.error(undefined, `unk_id below ${pieces.length}`, `${unknownId}`);
  }
  const modelType = type === 1 ? 'Unigram' : type === 2 ? 'BPE' : 'other';
  return { pieces, modelType, unknownId, unknownPiece, charsmap };
}

function readPiece(message: Message): Piece {
  let piece = '';
  let score = 0;
  let type = 1;
  for (let field = message.next(); field !== undefined; field = message.next()) {
    if (field === 1) piece = message.text();
    else if (field === 2) score = message.float();
    else if (field === 3) type = message.integer();
    else message.skip();
  }
  if (piece === '' || piece.length > longestPiece) {
    const expected = `a piece of 1 to ${longestPiece} units`;
    throw message.error(undefined, expected, `one of ${piece.length}`);
  }
  if (type < 1 || type > 6) throw message.error(undefined, 'a type from 1 to 6', `${type}`);
  return { piece, score, type };
}

function readTrainer(
  message: Message,
  trainer: { type: number; unknownId: number; unknownPiece: string },
): void {
  for (let field = message.next(); field !== undefined; field = message.next()) {
    if (field === 3) trainer.type = message.integer();
    else if (field === 40) trainer.unknownId = message.integer();
    else if (field === 45) trainer.unknownPiece = message.text();
    else message.skip();
  }
}

function readCharsmap(message: Message): Buffer | undefined {
  let charsmap: Buffer | undefined;
  for (let field = message.next(); field !== undefined; field = message.next()) {
    if (field === 2) charsmap = message.buffer();
    else message.skip();
  }
  return charsmap;
}
