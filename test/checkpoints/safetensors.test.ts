import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  headerLength,
  largestHeader,
  parseHeader,
  readSafetensors,
  type SafetensorsFile,
} from '../../lib/checkpoints/safetensors.js';
import { type ErrorCode, HeddleError } from '../../lib/errors.js';
import { fileOf, smallFile } from './safetensors_bytes.js';

/** What `readSafetensors` does, without a file. */
function parse(bytes: Uint8Array): SafetensorsFile {
  const length = headerLength(bytes.subarray(0, 8), bytes.length, 'x.safetensors');
  return parseHeader(bytes.subarray(8, 8 + length), bytes.length, 'x.safetensors');
}

function codeOf(bytes: Uint8Array): ErrorCode | undefined {
  try {
    parse(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof HeddleError) return error.code;
    throw error;
  }
}

/** Either a typed error, or ranges that lie in the file, hold what they say and do not overlap. */
function survives(bytes: Uint8Array): boolean {
  let file: SafetensorsFile;
  try {
    file = parse(bytes);
  } catch (error) {
    return error instanceof HeddleError;
  }
  const ranges = [...file.tensors.values()].sort(
    (a, b) => a.offset - b.offset || a.bytes - b.bytes,
  );
  let at = 8;
  for (const { offset, bytes: size, dims } of ranges) {
    if (offset < at || size < 0 || dims.some((dim) => !Number.isSafeInteger(dim) || dim < 0))
      return false;
    at = offset + size;
  }
  return at <= bytes.length;
}

const entry = (fields: string) => `{"a":{${fields}}}`;
const one = (shape: string, offsets: string, dtype = '"F32"') =>
  entry(`"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}`);
const bytes = (count: number) => new Uint8Array(count);

describe('a safetensors header', () => {
  it('gives each tensor its absolute range', () => {
    const { tensors, metadata } = parse(smallFile());
    const start = smallFile().length - 32;
    expect([...tensors.keys()]).toEqual(['layer.weight', 'layer.bias', 'scale']);
    expect(tensors.get('layer.weight')).toEqual({
      path: 'x.safetensors',
      dtype: 'F32',
      dims: [2, 3],
      offset: start,
      bytes: 24,
    });
    expect(tensors.get('scale')).toMatchObject({ dims: [], offset: start + 30, bytes: 2 });
    expect([...metadata]).toEqual([['format', 'pt']]);
  });

  it.each<[string, Uint8Array, number]>([
    ['no tensors', fileOf('{}'), 0],
    ['rank 0', fileOf(one('[]', '[0,4]'), bytes(4)), 1],
    ['a dimension of 0', fileOf(one('[3,0,2]', '[0,0]')), 1],
    ['padding with spaces', fileOf(`${one('[1]', '[0,4]')}        `, bytes(4)), 1],
    [
      'white space between tokens',
      fileOf('{ "a" : {"shape":[ 1 , 2 ],\n"dtype":"U8","data_offsets":[0,2]} }', bytes(2)),
      1,
    ],
    [
      'an empty tensor between others',
      fileOf(
        '{"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]},"e":{"dtype":"U8","shape":[0],"data_offsets":[2,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}',
        bytes(4),
      ),
      3,
    ],
    [
      'a tensor named __proto__',
      fileOf('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', bytes(1)),
      1,
    ],
    [
      'a name with escapes',
      fileOf(
        '{"a\\u00e9\\"\\ud83d\\ude00":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        bytes(1),
      ),
      1,
    ],
    ['empty metadata', fileOf('{"__metadata__":{}}'), 0],
  ])('accepts %s', (_what, file, count) => {
    expect(parse(file).tensors.size).toBe(count);
  });

  const proto = parse(
    fileOf('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', bytes(1)),
  );
  it('keeps odd names as names', () => {
    expect([...proto.tensors.keys()]).toEqual(['__proto__']);
  });

  it.each<[string, Uint8Array]>([
    ['an empty file', bytes(0)],
    ['seven bytes', bytes(7)],
    ['a length of 0', fileOf('{}', bytes(0), 0n)],
    ['a length past the file', fileOf('{}', bytes(0), 3n)],
    ['a length of 2^64 - 1', fileOf('{}', bytes(0), 2n ** 64n - 1n)],
    ['a length of 2^63', fileOf('{}', bytes(0), 2n ** 63n)],
    ['a length that ends inside', fileOf(one('[1]', '[0,4]'), bytes(4), 10n)],
    ['bad UTF-8', fileOf(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))],
    ['overlong UTF-8', fileOf(Uint8Array.from([0x7b, 0x22, 0xc0, 0x80, 0x22, 0x7d]))],
    ['a byte order mark', fileOf('\ufeff{}')],
    ['a leading space', fileOf(' {}')],
    ['an array', fileOf('[]')],
    ['something behind the object', fileOf('{}x')],
    ['NUL as padding', fileOf('{}\0\0')],
    ['a trailing comma', fileOf('{"__metadata__":{"a":"b",}}')],
    ['great depth', fileOf(`{"a":${'['.repeat(1e6)}`)],
    ['great depth of objects', fileOf('{"a":'.repeat(1e6))],
    [
      'NUL in a name',
      fileOf('{"a\\u0000":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', bytes(1)),
    ],
    [
      'a raw control character',
      fileOf('{"a\x01":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', bytes(1)),
    ],
    [
      'half a surrogate pair',
      fileOf('{"a\\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', bytes(1)),
    ],
    [
      'an unknown escape',
      fileOf('{"\\x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', bytes(1)),
    ],
    [
      'a name twice',
      fileOf(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
        bytes(2),
      ),
    ],
    [
      'a name twice, once escaped',
      fileOf(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
        bytes(2),
      ),
    ],
    [
      'a field twice',
      fileOf(entry('"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]'), bytes(1)),
    ],
    [
      'a field more',
      fileOf(entry('"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1'), bytes(1)),
    ],
    ['a field less', fileOf(entry('"dtype":"U8","shape":[1]'), bytes(1))],
    [
      'tensors on one range',
      fileOf(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}',
        bytes(2),
      ),
    ],
    [
      'tensors that overlap',
      fileOf(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}',
        bytes(3),
      ),
    ],
    [
      'a hole',
      fileOf(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}',
        bytes(3),
      ),
    ],
    ['a hole at the start', fileOf(one('[1]', '[4,8]'), bytes(8))],
    ['trailing bytes', fileOf(one('[1]', '[0,4]'), bytes(5))],
    ['missing bytes', fileOf(one('[1]', '[0,4]'), bytes(3))],
    ['data without tensors', fileOf('{}', bytes(1))],
    ['[2^32, 2^32] over an empty range', fileOf(one('[4294967296,4294967296]', '[0,0]'))],
    ['[2^32, 2^32, 0] over an empty range', fileOf(one('[4294967296,4294967296,0]', '[0,0]'))],
    ['a negative dimension', fileOf(one('[-1]', '[0,4]'), bytes(4))],
    ['a dimension of -0', fileOf(one('[-0]', '[0,0]'))],
    ['a fractional dimension', fileOf(one('[1.5]', '[0,6]'), bytes(6))],
    ['a dimension of 1.0', fileOf(one('[1.0]', '[0,4]'), bytes(4))],
    ['a dimension of 1e0', fileOf(one('[1e0]', '[0,4]'), bytes(4))],
    ['a dimension of 01', fileOf(one('[01]', '[0,4]'), bytes(4))],
    ['a dimension of 2^53', fileOf(one('[9007199254740992]', '[0,4]'), bytes(4))],
    ['a dimension of 2^64 + 1', fileOf(one('[18446744073709551617]', '[0,4]'), bytes(4))],
    ['a dimension that is text', fileOf(one('["1"]', '[0,4]'), bytes(4))],
    ['a shape that is a number', fileOf(one('1', '[0,4]'), bytes(4))],
    ['a shape of null', fileOf(one('null', '[0,4]'), bytes(4))],
    ['reversed offsets', fileOf(one('[1]', '[4,0]'), bytes(4))],
    ['one offset', fileOf(one('[1]', '[0]'), bytes(4))],
    ['three offsets', fileOf(one('[1]', '[0,4,4]'), bytes(4))],
    ['offsets past 2^53', fileOf(one('[1]', '[9007199254740990,9007199254740994]'), bytes(4))],
    ['offsets near 2^53', fileOf(one('[1]', '[9007199254740980,9007199254740984]'), bytes(4))],
    ['a range too short for the shape', fileOf(one('[2]', '[0,4]'), bytes(4))],
    ['an unknown dtype', fileOf(one('[1]', '[0,4]', '"F33"'), bytes(4))],
    ['a dtype of the prototype', fileOf(one('[1]', '[0,4]', '"constructor"'), bytes(4))],
    ['a dtype that is a number', fileOf(one('[1]', '[0,4]', '4'), bytes(4))],
    ['metadata that is text', fileOf('{"__metadata__":"x"}')],
    ['metadata with a number', fileOf('{"__metadata__":{"a":1}}')],
    ['metadata with an object', fileOf('{"__metadata__":{"a":{}}}')],
  ])('refuses %s', (_what, file) => {
    expect(codeOf(file)).toBe('ERR_FORMAT');
  });

  it('refuses a header over the limit by its size, before reading it', () => {
    const prefix = bytes(8);
    new DataView(prefix.buffer).setBigUint64(0, BigInt(largestHeader + 1), true);
    const find = () => headerLength(prefix, 1e12, 'big.safetensors');
    expect(find).toThrow(
      `big.safetensors: length of the header: expected at most ${largestHeader}, found ${largestHeader + 1}`,
    );
  });

  it('calls a dtype of the format that it does not have unsupported', () => {
    expect(codeOf(fileOf(one('[1]', '[0,1]', '"F8_E4M3"'), bytes(1)))).toBe('ERR_UNSUPPORTED');
  });

  it('survives every truncation', () => {
    const file = smallFile();
    for (let length = 0; length < file.length; length++) {
      expect(codeOf(file.subarray(0, length)), `${length} bytes`).toBe('ERR_FORMAT');
    }
  });

  it('survives every value of every byte of length and header', () => {
    const file = smallFile();
    const wrong: string[] = [];
    for (let at = 0; at < file.length - 32; at++) {
      const original = file[at]!;
      for (let value = 0; value < 256; value++) {
        file[at] = value;
        if (!survives(file)) wrong.push(`byte ${at} = ${value}`);
      }
      file[at] = original;
    }
    expect(wrong).toEqual([]);
  });

  it('survives headers of any text and any numbers', () => {
    const number = fc.oneof(
      fc.integer({ min: 0, max: 40 }),
      fc.constantFrom('-1', '1e1', '9007199254740993', '4294967296', '0.5'),
    );
    const tensor = fc.record({
      dtype: fc.constantFrom('F32', 'U8', 'BF16', 'I64', 'F4', '?'),
      shape: fc.array(number, { maxLength: 3 }),
      offsets: fc.array(number, { minLength: 1, maxLength: 3 }),
    });
    const header = fc
      .array(fc.tuple(fc.constantFrom('a', 'b', '__proto__', '__metadata__'), tensor), {
        maxLength: 3,
      })
      .map((entries) => {
        const text = entries.map(
          ([name, { dtype, shape, offsets }]) =>
            `"${name}":{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${offsets}]}`,
        );
        return `{${text.join(',')}}`;
      });
    const size = fc.integer({ min: 0, max: 64 });
    fc.assert(
      fc.property(fc.oneof(header, fc.string(), fc.json()), size, (text, count) =>
        survives(fileOf(text, bytes(count))),
      ),
      { numRuns: 5000 },
    );
  });

  it('round-trips any valid file', () => {
    const tensors = fc.uniqueArray(
      fc.tuple(
        fc
          .string({ unit: 'grapheme', minLength: 1 })
          .filter((name) => name !== '__metadata__' && !name.includes('\0')),
        fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }),
      ),
      { selector: ([name]) => name, maxLength: 6 },
    );
    fc.assert(
      fc.property(tensors, (list) => {
        let at = 0;
        const entries = list.map(([name, shape]) => {
          const size = 4 * shape.reduce((product, dim) => product * dim, 1);
          const offsets = [at, at + size];
          at += size;
          return `${JSON.stringify(name)}:{"dtype":"F32","shape":[${shape}],"data_offsets":[${offsets}]}`;
        });
        const file = parse(fileOf(`{${entries.join(',')}}`, bytes(at)));
        const found = [...file.tensors].map(([name, { dims }]) => [name, dims]);
        expect(found).toEqual(list);
      }),
    );
  });
});

describe('readSafetensors', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'heddle-safetensors-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('reads a file', async () => {
    const path = join(folder, 'small.safetensors');
    await writeFile(path, smallFile());
    expect((await readSafetensors(path)).tensors.get('layer.bias')?.path).toBe(path);
  });

  it('says what cannot be read', async () => {
    const absent = readSafetensors(join(folder, 'absent.safetensors'));
    await expect(absent).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    await expect(readSafetensors(folder)).rejects.toMatchObject({ code: 'ERR_FILE' });
    const path = join(folder, 'short.safetensors');
    await writeFile(path, smallFile().subarray(0, 5));
    await expect(readSafetensors(path)).rejects.toMatchObject({ code: 'ERR_FORMAT', where: path });
  });
});
