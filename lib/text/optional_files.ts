/** Reads files that may not be there. */
import { isUtf8 } from 'node:buffer';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { HeddleError } from '../errors.js';
import { type JsonObject, parseObject } from './tokenizer_json.js';

/** Larger than any vocabulary known (Gemma's is 33 MB), small enough to parse. */
const largestFile = 256 * 2 ** 20;

/** @throws ERR_FILE, ERR_FORMAT. */
export async function readBytesIfThere(path: string): Promise<Buffer | undefined> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK (which Windows does not have), opening a FIFO would wait for a writer.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const status = await file.stat();
    if (!status.isFile()) {
      throw new HeddleError('ERR_FILE', `${path}: expected a file, found something else`, {
        where: path,
      });
    }
    const { size } = status;
    if (size > largestFile) {
      const message = `${path}: ${size} bytes, more than ${largestFile} allowed`;
      throw new HeddleError('ERR_FORMAT', message, { where: path });
    }
    return await file.readFile();
  } catch (cause) {
    if (cause instanceof HeddleError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new HeddleError('ERR_FILE', `${path}: cannot be read: ${message}`, {
      where: path,
      cause,
    });
  } finally {
    await file?.close();
  }
}

/** What is no UTF-8 becomes U+FFFD. @throws ERR_FILE, ERR_FORMAT. */
export async function readTextIfThere(path: string): Promise<string | undefined> {
  return (await readBytesIfThere(path))?.toString(); // four times as fast as decoding while reading
}

/** @throws ERR_FILE, ERR_FORMAT. */
export async function readObjectIfThere(path: string): Promise<JsonObject | undefined> {
  const text = await readTextIfThere(path);
  return text === undefined ? undefined : parseObject(text, path);
}

/** As Python's text files: strictly UTF-8, and of all line ends there is only the line feed. @throws ERR_FORMAT. */
export function strictText(bytes: Buffer, path: string): string {
  if (!isUtf8(bytes)) {
    const line = firstBrokenLine(bytes);
    const message = `${path}: line ${line}: expected UTF-8, found other bytes`;
    throw new HeddleError('ERR_FORMAT', message, { where: path, expected: 'UTF-8' });
  }
  return bytes.toString().replace(/\r\n?/g, '\n');
}

function firstBrokenLine(bytes: Buffer): number {
  for (let start = 0, line = 1; ; line++) {
    const feed = bytes.indexOf(0x0a, start);
    // No character of several bytes has a line feed among them.
    if (feed === -1 || !isUtf8(bytes.subarray(start, feed))) return line;
    start = feed + 1;
  }
}
