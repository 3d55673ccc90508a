import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { HeddleError, mismatch } from '../errors.js';

/** No line of a text is so long; a file without line breaks must not fill the memory. */
const longestLine = 2 ** 28;

const lineFeed = 0x0a;

/**
 * The lines of a file one after the other, as it is read, each with its line break.
 * @throws ERR_FILE; ERR_FORMAT, naming the line, for what is not UTF-8, or a line of more than 256 MiB.
 */
export async function* utf8Lines(
  path: string,
  { signal, onRead }: { signal?: AbortSignal | undefined; onRead?: (bytes: number) => void } = {},
): AsyncGenerator<string> {
  let number = 1;
  const rest: Buffer[] = [];
  let restBytes = 0;
  const linesOf = (bytes: Buffer): string[] => {
    if (!isUtf8(bytes)) throw notUtf8(path, bytes, number);
    const lines = bytes.toString('utf8').split(/(?<=\n)/);
    number += lines.length;
    return lines;
  };
  try {
    for await (const chunk of createReadStream(path, { signal, highWaterMark: 2 ** 18 })) {
      const bytes = chunk as Buffer;
      onRead?.(bytes.length);
      const end = bytes.lastIndexOf(lineFeed) + 1;
      if (end > 0) {
        const whole = Buffer.concat([...rest, bytes.subarray(0, end)]);
        rest.length = 0;
        restBytes = 0;
        yield* linesOf(whole);
      }
      rest.push(bytes.subarray(end));
      restBytes += bytes.length - end;
      if (restBytes > longestLine) {
        const expected = `a line of at most ${longestLine} bytes`;
        throw mismatch('ERR_FORMAT', `${path}: line ${number}`, expected, 'a longer one');
      }
    }
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof HeddleError || (cause as NodeJS.ErrnoException).syscall === undefined) {
      throw cause;
    }
    const message = `${path}: cannot be read (${(cause as Error).message})`;
    throw new HeddleError('ERR_FILE', message, { where: path, cause });
  }
  if (restBytes > 0) yield* linesOf(Buffer.concat(rest));
}

/** Names the first line that is not UTF-8. A line feed is no part of any character. */
function notUtf8(path: string, bytes: Buffer, firstLine: number): HeddleError {
  let line = firstLine;
  for (let start = 0; start < bytes.length; line++) {
    const next = bytes.indexOf(lineFeed, start);
    const end = next < 0 ? bytes.length : next + 1;
    if (!isUtf8(bytes.subarray(start, end))) break;
    start = end;
  }
  return mismatch('ERR_FORMAT', `${path}: line ${line}`, 'text in UTF-8', 'other bytes');
}
