/** Writes safetensors files; safetensors.ts says what they are. */
import { endianness } from 'node:os';
import { mismatch } from '../errors.js';
import { elementCount } from '../graph/shape.js';

/** A float32 tensor of a file to be. */
export interface WrittenTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Called when its turn comes, so that not all need be in memory at once. */
  read(): Promise<Float32Array> | Float32Array;
}

/** The bytes of a file with these tensors, in this order. @param metadata such as `{ format: 'pt' }`, which transformers asks for. */
export async function* safetensorsBytes(
  tensors: readonly WrittenTensor[],
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): AsyncGenerator<Uint8Array> {
  const entries: [string, unknown][] = [['__metadata__', metadata]];
  let at = 0;
  for (const { name, shape } of tensors) {
    const bytes = 4 * elementCount(shape);
    entries.push([name, { dtype: 'F32', shape, data_offsets: [at, at + bytes] }]);
    at += bytes;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const padded = Math.ceil(json.length / 8) * 8; // tensors begin at whole words
  const header = Buffer.alloc(8 + padded, ' ');
  header.writeBigUInt64LE(BigInt(padded));
  json.copy(header, 8);
  yield header;
  for (const tensor of tensors) {
    const data = await tensor.read();
    const expected = elementCount(tensor.shape);
    if (data.length !== expected) {
      throw mismatch('ERR_SHAPE', tensor.name, `${expected} numbers`, `${data.length}`);
    }
    yield littleEndian(data);
  }
}

function littleEndian(data: Float32Array): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32();
}
