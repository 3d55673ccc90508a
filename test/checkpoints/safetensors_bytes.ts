/** Builds safetensors files for tests: right ones, and wrong ones that the library would never write. */

export interface TensorEntry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

const encoder = new TextEncoder();

/** Length, header and data, whether or not they fit each other. */
export function fileOf(
  header: string | Uint8Array,
  data = new Uint8Array(0),
  length?: bigint,
): Uint8Array {
  const json = typeof header === 'string' ? encoder.encode(header) : header;
  const file = new Uint8Array(8 + json.length + data.length);
  new DataView(file.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  file.set(json, 8);
  file.set(data, 8 + json.length);
  return file;
}

export const small: Record<string, TensorEntry | Record<string, string>> = {
  __metadata__: { format: 'pt' },
  'layer.weight': { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
  'layer.bias': { dtype: 'BF16', shape: [3], data_offsets: [24, 30] },
  scale: { dtype: 'F16', shape: [], data_offsets: [30, 32] },
};

export const smallFile = (): Uint8Array => fileOf(JSON.stringify(small), new Uint8Array(32));
