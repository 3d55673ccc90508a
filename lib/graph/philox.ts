/** Four 32-bit numbers of Philox-4x32 with ten rounds (Salmon et al. 2011): those of block `counter` of a stream and its branch. */
export function philox(
  counter: number,
  stream: number,
  seed: number,
  branch = 0,
): [number, number, number, number] {
  // As signed numbers, which engines keep in registers; what is drawn is without sign.
  let c0 = counter | 0;
  let c1 = Math.floor(counter / 2 ** 32) | 0;
  let c2 = stream | 0;
  let c3 = branch | 0;
  let k0 = seed | 0;
  let k1 = Math.floor(seed / 2 ** 32) | 0;
  for (let round = 0; round < 10; round++) {
    const high0 = highHalf(0xd2511f53, c0);
    const high1 = highHalf(0xcd9e8d57, c2);
    const low0 = Math.imul(0xd2511f53, c0);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  return [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0];
}

/** Of the 64-bit product of two 32-bit numbers without sign; no sum in it is above 2³² − 1. */
function highHalf(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const cross = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
  const middle = (Math.imul(aLow, bHigh) + (cross & 0xffff)) | 0;
  return (Math.imul(aHigh, bHigh) + (cross >>> 16) + (middle >>> 16)) | 0;
}
