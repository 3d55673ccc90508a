import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bytesPerElement,
  encodeHalf,
  type FileDType,
  readRange,
  readStateSource,
  storeAs,
  toFloat64,
} from '../../lib/checkpoints/dtype.js';

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heddle-dtype-'));
  path = join(folder, 'data');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const cases: [FileDType, ArrayBufferView, number[]][] = [
  ['F64', Float64Array.of(1.1, -0, 1e300), [1.1, -0, 1e300]],
  ['F32', Float32Array.of(0.5, -3e38), [0.5, Math.fround(-3e38)]],
  ['F16', Uint16Array.of(0x3c00, 0xfbff), [1, -65504]],
  ['BF16', Uint16Array.of(0x3f80, 0xc040), [1, -3]],
  ['I64', BigInt64Array.of(-1n, 2n ** 53n, -(2n ** 63n)), [-1, 2 ** 53, -(2 ** 63)]],
  ['I32', Int32Array.of(-(2 ** 31), 7), [-(2 ** 31), 7]],
  ['I16', Int16Array.of(-32768, 7), [-32768, 7]],
  ['I8', Int8Array.of(-128, 7), [-128, 7]],
  ['U8', Uint8Array.of(255, 7), [255, 7]],
  ['BOOL', Uint8Array.of(0, 1, 2), [0, 1, 1]],
];

describe('dtypes', () => {
  it.each(cases)('%s is read at any alignment', (dtype, data, values) => {
    const unaligned = new Uint8Array(data.byteLength + 3).subarray(3);
    unaligned.set(new Uint8Array(data.buffer));
    expect([...toFloat64(unaligned, dtype)]).toEqual(values);
    expect(data.byteLength).toBe(values.length * bytesPerElement[dtype]);
  });

  it.each(cases)('%s is read from a range of a file', async (dtype, data, values) => {
    await writeFile(
      path,
      Buffer.concat([Buffer.alloc(5), new Uint8Array(data.buffer), Buffer.alloc(2)]),
    );
    const range = { path, offset: 5, bytes: data.byteLength, dtype, dims: [values.length] };
    expect([...toFloat64(await readRange(range), dtype)]).toEqual(values);
  });
});

describe('readStateSource', () => {
  it('rounds to the dtype of the state', async () => {
    const data = Float32Array.of(1 + 2 ** -9, 70000, 1e-9);
    const read = (dtype: 'float32' | 'float16' | 'bfloat16') =>
      readStateSource({ kind: 'data', data }, dtype, [3]);
    expect([...(await read('float32'))]).toEqual([...data]);
    expect([...(await read('float16'))]).toEqual([1 + 2 ** -9, Infinity, 0]);
    expect((await read('bfloat16'))[0]).toBe(1);
    expect([...storeAs('bfloat16', await read('bfloat16'))]).toEqual([
      ...encodeHalf('bfloat16', data),
    ]);
  });

  it('reads half precision given as bits, zeros, and integers', async () => {
    const bits = Uint16Array.of(0x3c00, 0x4000);
    expect([...(await readStateSource({ kind: 'data', data: bits }, 'float16', [2]))]).toEqual([
      1, 2,
    ]);
    expect([...(await readStateSource({ kind: 'zeros' }, 'float32', [2, 2]))]).toEqual([
      0, 0, 0, 0,
    ]);
    await writeFile(path, new Uint8Array(BigInt64Array.of(3n, -4n).buffer));
    const range = { path, offset: 0, bytes: 16, dtype: 'I64' as const, dims: [2] };
    const read = await readStateSource({ kind: 'file', range }, 'int32', [2]);
    expect(read).toEqual(Int32Array.of(3, -4));
  });

  it('refuses another number of elements, and what no int32 is', async () => {
    const short = readStateSource({ kind: 'data', data: Float32Array.of(1) }, 'float32', [2]);
    await expect(short).rejects.toMatchObject({ code: 'ERR_SHAPE' });
    const half = readStateSource({ kind: 'data', data: Float32Array.of(1.5) }, 'int32', [1]);
    await expect(half).rejects.toMatchObject({ code: 'ERR_FORMAT' });
  });
});

describe('readRange', () => {
  const range = () => ({ path, offset: 4, bytes: 8, dtype: 'U8' as const, dims: [8] });

  it('says that a file has become shorter, or is gone', async () => {
    await writeFile(path, new Uint8Array(12));
    expect((await readRange(range())).length).toBe(8);
    for (let length = 0; length < 12; length++) {
      await truncate(path, length);
      await expect(readRange(range())).rejects.toMatchObject({ code: 'ERR_FILE', where: path });
      await writeFile(path, new Uint8Array(12));
    }
    await rm(path);
    await expect(readRange(range())).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
  });
});
