/**
 * The header of a safetensors file (https://huggingface.co/docs/safetensors): eight bytes of length
 * (unsigned, little-endian), so many bytes of JSON that name each tensor's dtype, shape and range, then
 * the tensors' bytes without a hole. Tensors are never read here, only found.
 */
import { type HeddleError, mismatch } from '../errors.js';
import type { FileRange } from '../native.js';
import { bytesPerElement, isFileDType } from './dtype.js';
import { readFully, withFile } from './file_reading.js';
import { JsonScanner } from './json_scanner.js';

export interface SafetensorsFile {
  /** By name, in the header's order. */
  readonly tensors: Map<string, FileRange>;
  readonly metadata: Map<string, string>;
}

/** The format allows 100 MB; a header of a thousand tensors has 0.1 MB. */
export const largestHeader = 25_000_000;

/** In the format, but nothing here computes with them. */
const otherDTypes = new Set(
  'U16 U32 U64 C64 F8_E4M3 F8_E5M2 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ F4 F6_E2M3 F6_E3M2'.split(' '),
);

/** @throws ERR_NOT_FOUND, ERR_FILE, ERR_FORMAT, ERR_UNSUPPORTED. */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  return withFile(path, async (file, fileBytes) => {
    const prefix = new Uint8Array(Math.min(8, fileBytes));
    await readFully(file, prefix, 0, path);
    const header = new Uint8Array(headerLength(prefix, fileBytes, path));
    await readFully(file, header, 8, path);
    return parseHeader(header, fileBytes, path);
  });
}

/**
 * The header's length from the first eight bytes of a file.
 * @throws ERR_FORMAT when it cannot be the length of this file's header, or is over `largestHeader`.
 */
export function headerLength(prefix: Uint8Array, fileBytes: number, path: string): number {
  if (prefix.length < 8) {
    throw mismatch('ERR_FORMAT', path, 'a safetensors file of at least 8 bytes', `${fileBytes}`);
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  const where = `${path}: length of the header`;
  if (length > BigInt(fileBytes - 8)) {
    const left = `at most the ${fileBytes - 8} bytes that follow`;
    throw mismatch('ERR_FORMAT', where, left, `${length}`);
  }
  if (length > largestHeader) {
    throw mismatch('ERR_FORMAT', where, `at most ${largestHeader}`, `${length}`);
  }
  if (length < 2) throw mismatch('ERR_FORMAT', where, 'at least 2', `${length}`);
  return Number(length);
}

/**
 * @param header the bytes behind the length. @param fileBytes the size of the whole file.
 * @throws ERR_FORMAT, or ERR_UNSUPPORTED for a dtype that Heddle does not have.
 */
export function parseHeader(header: Uint8Array, fileBytes: number, path: string): SafetensorsFile {
  const where = `${path}: header`;
  if (header[0] !== 0x7b) {
    throw mismatch('ERR_FORMAT', where, "'{' as its first byte", `0x${header[0]?.toString(16)}`);
  }
  const scanner = JsonScanner.fromBytes(header, where);
  const dataStart = 8 + header.length;
  const tensors = new Map<string, FileRange>();
  const metadata = new Map<string, string>();
  scanner.object((name) => {
    if (name === '__metadata__') {
      scanner.object((key) => metadata.set(key, scanner.string()));
    } else {
      tensors.set(name, readTensor(scanner, name, path, dataStart));
    }
  });
  scanner.end();
  checkCover(tensors, dataStart, fileBytes, path);
  return { tensors, metadata };
}

function readTensor(
  scanner: JsonScanner,
  name: string,
  path: string,
  dataStart: number,
): FileRange {
  let dtype: string | undefined;
  let dims: number[] | undefined;
  let offsets: number[] | undefined;
  scanner.object((key) => {
    if (key === 'dtype') dtype = scanner.string();
    else if (key === 'shape') dims = integers(scanner);
    else if (key === 'data_offsets') offsets = integers(scanner);
    else scanner.fail('dtype, shape or data_offsets', `'${key}'`);
  });
  const where = `${path}: tensor '${name}'`;
  if (dtype === undefined || dims === undefined || offsets === undefined) {
    throw mismatch('ERR_FORMAT', where, 'dtype, shape and data_offsets', 'not all of them');
  }
  if (!isFileDType(dtype)) throw unknownDType(where, dtype);
  const [begin, end, ...more] = offsets;
  if (begin === undefined || end === undefined || more.length > 0 || end < begin) {
    throw mismatch(
      'ERR_FORMAT',
      `${where}: data_offsets`,
      '[begin, end]',
      `[${offsets.join(', ')}]`,
    );
  }
  const bytes = byteCount(dims, bytesPerElement[dtype], where);
  if (end - begin !== bytes) {
    const shape = `${dtype} [${dims.join(', ')}]`;
    throw mismatch('ERR_FORMAT', where, `${bytes} bytes for ${shape}`, `${end - begin}`);
  }
  const offset = dataStart + begin;
  if (!Number.isSafeInteger(offset + bytes)) {
    throw mismatch('ERR_FORMAT', where, 'offsets below 2^53', `${begin}`);
  }
  return { path, dtype, dims, offset, bytes };
}

function integers(scanner: JsonScanner): number[] {
  const values: number[] = [];
  scanner.array(() => values.push(scanner.integer()));
  return values;
}

/** The product, refused as soon as it cannot be exact, even if a later dimension is 0. */
function byteCount(dims: readonly number[], elementBytes: number, where: string): number {
  let bytes = elementBytes;
  for (const dim of dims) {
    bytes *= dim;
    if (!Number.isSafeInteger(bytes)) {
      throw mismatch('ERR_FORMAT', where, 'a size below 2^53 bytes', `shape [${dims.join(', ')}]`);
    }
  }
  return bytes;
}

function unknownDType(where: string, dtype: string): HeddleError {
  const expected = `one of ${Object.keys(bytesPerElement).join(', ')}`;
  const code = otherDTypes.has(dtype) ? 'ERR_UNSUPPORTED' : 'ERR_FORMAT';
  return mismatch(code, `${where}: dtype`, expected, `'${dtype}'`);
}

/** The tensors cover the rest of the file, each byte once. */
function checkCover(
  tensors: ReadonlyMap<string, FileRange>,
  dataStart: number,
  fileBytes: number,
  path: string,
): void {
  const inOrder = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.bytes - b.bytes);
  let at = dataStart;
  for (const [name, { offset, bytes }] of inOrder) {
    if (offset !== at) {
      const what = offset < at ? 'overlaps another tensor' : 'leaves a hole before it';
      throw mismatch(
        'ERR_FORMAT',
        `${path}: tensor '${name}' ${what}`,
        `its data at ${at - dataStart}`,
        `${offset - dataStart}`,
      );
    }
    at += bytes;
  }
  if (at !== fileBytes) {
    throw mismatch(
      'ERR_FORMAT',
      `${path}: size`,
      `${at} bytes, where its tensors end`,
      `${fileBytes}`,
    );
  }
}
