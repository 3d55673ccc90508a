import type { Initialization, ParameterSource, StoredAs } from '../graph/parameters.js';
import { State } from '../graph/state.js';

/**
 * Fresh parameters. Each tensor has its own stream of Philox numbers (Salmon et al. 2011), keyed by the seed and its name,
 * so that the order in which layers are made does not matter.
 */
export class RandomSource implements ParameterSource {
  constructor(private readonly seed: number) {}

  has(): boolean {
    return true;
  }

  stack(names: readonly string[], shape: readonly [number, number], init: Initialization): State {
    const name = names[0] ?? '';
    return this.create(name, [names.length * shape[0], shape[1]], 'linear', init);
  }

  create(
    name: string,
    shape: readonly number[],
    _role: unknown,
    init: Initialization,
    stored?: StoredAs,
  ): State {
    const data = new Float32Array(shape.reduce((product, dim) => product * dim, 1));
    fill(data, init, this.seed, hash(stored ? `${name} from ${stored.offset}` : name));
    return new State(name, shape, 'float32', { kind: 'data', data });
  }
}

function fill(data: Float32Array, init: Initialization, seed: number, stream: number): void {
  if (init.kind === 'constant') {
    data.fill(init.value);
    return;
  }
  for (let block = 0; block * 4 < data.length; block++) {
    const numbers = philox(block, stream, seed).map((bits) => (bits + 0.5) / 2 ** 32);
    const values =
      init.kind === 'uniform'
        ? numbers.map((u) => (2 * u - 1) * init.bound)
        : normal(numbers, init.deviation);
    data.set(values.slice(0, data.length - block * 4), block * 4);
  }
}

/** Two pairs of normal numbers from four uniform ones (Box & Muller 1958). */
function normal(uniform: readonly number[], deviation: number): number[] {
  const [a = 0.5, b = 0, c = 0.5, d = 0] = uniform;
  const pair = (u: number, v: number): [number, number] => {
    const radius = deviation * Math.sqrt(-2 * Math.log(u));
    return [radius * Math.cos(2 * Math.PI * v), radius * Math.sin(2 * Math.PI * v)];
  };
  return [...pair(a, b), ...pair(c, d)];
}

/** Four 32-bit numbers of Philox-4x32 with ten rounds. */
export function philox(
  counter: number,
  stream: number,
  seed: number,
): [number, number, number, number] {
  let [c0, c1, c2, c3] = [counter >>> 0, Math.floor(counter / 2 ** 32) >>> 0, stream >>> 0, 0];
  let [k0, k1] = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = multiply(0xd2511f53, c0);
    const [high1, low1] = multiply(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** High and low half of the 64-bit product of two 32-bit numbers. */
function multiply(a: number, b: number): [number, number] {
  const cross = (a & 0xffff) * (b >>> 16) + ((((a & 0xffff) * (b & 0xffff)) / 0x10000) >>> 0);
  const upper = (a >>> 16) * (b & 0xffff) + (cross % 0x10000);
  const high = (a >>> 16) * (b >>> 16) + Math.floor(cross / 0x10000) + Math.floor(upper / 0x10000);
  return [high >>> 0, Math.imul(a, b) >>> 0];
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const unit of Buffer.from(text)) value = Math.imul(value ^ unit, 0x01000193) >>> 0;
  return value;
}
