/** Texts of the data files of an R package (R Internals, sections 1.8 and 4.4: serialization, lazy loading). */
import { inflateSync } from 'node:zlib';

/** SEXPTYPEs: R Internals, section 1.1. */
const types = { characters: 9, strings: 16 };

/** The objects of a lazy-load database (.rdb), each compressed behind its length, as they are serialized. */
export function* databaseObjects(bytes) {
  for (let at = 0; at + 4 < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const { buffer, engine } = inflateSync(bytes.subarray(at + 4), { info: true });
    if (buffer.length !== length) throw new Error('an object of another length than it says');
    yield buffer;
    at += 4 + engine.bytesWritten;
  }
}

/** The strings of a serialized vector (XDR form, version 2 or 3); undefined for what is no vector of strings. */
export function stringVector(bytes) {
  if (bytes.toString('latin1', 0, 2) !== 'X\n') throw new Error('not serialized R data');
  let at = 2;
  const integer = () => {
    at += 4;
    return bytes.readInt32BE(at - 4);
  };
  const version = integer();
  at += 8; // of R: the version that wrote this, and the oldest that reads it
  if (version === 3) {
    const length = integer(); // of the name of the native encoding
    at += length;
  }
  if ((integer() & 0xff) !== types.strings) return undefined;
  return Array.from({ length: integer() }, () => {
    const type = integer() & 0xff;
    const length = integer();
    if (type !== types.characters || length < -1 || at + length > bytes.length) {
      throw new Error('expected a string in serialized R data');
    }
    const text = bytes.toString('utf8', at, at + Math.max(0, length)); // −1 is NA
    at += Math.max(0, length);
    return text;
  });
}
