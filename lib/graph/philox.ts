/** Four 32-bit numbers of Philox-4x32 with ten rounds (Salmon et al. 2011): those of block `counter` of a stream and its branch. */
export function philox(
  counter: number,
  stream: number,
  seed: number,
  branch = 0,
): [number, number, number, number] {
  let [c0, c1, c2, c3] = [
    counter >>> 0,
    Math.floor(counter / 2 ** 32) >>> 0,
    stream >>> 0,
    branch >>> 0,
  ];
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
