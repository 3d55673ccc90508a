import { philox } from '../../lib/graph/philox.js';

/** Matrices of standard normal numbers, rounded to float32; the same for the same seed. */
export function normals(seed: number): (rows: number, columns: number) => number[][] {
  let stream = 0;
  return (rows, columns) => {
    const own = stream++;
    return Array.from({ length: rows }, (_, row) =>
      Array.from({ length: columns }, (_, column) => {
        const [a = 0, b = 0] = philox(row * columns + column, own, seed);
        const radius = Math.sqrt(-2 * Math.log((a + 0.5) / 2 ** 32));
        return Math.fround(radius * Math.cos((2 * Math.PI * b) / 2 ** 32));
      }),
    );
  };
}

/** The same rows, each of a given length. */
export const onSphere = (rows: readonly (readonly number[])[], radius: number): number[][] =>
  rows.map((row) => row.map((x) => Math.fround((x * radius) / Math.hypot(...row))));
