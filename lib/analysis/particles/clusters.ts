/** How many clusters there are, and for how long. */
import { setImmediate } from 'node:timers/promises';
import type { Backend } from '../../graph/backend.js';
import { type CompiledGraph, compile } from '../../graph/run.js';
import { input } from '../../graph/tensor.js';
import { matmul } from '../../ops/gemm.js';
import { DisjointSets } from '../disjoint_sets.js';

/** Particles whose pairs are looked at between two turns of the event loop. */
const blockRows = 512;

/**
 * Counts clusters: connected components of the graph that joins any two particles not farther apart than `threshold` (single
 * linkage). Exact: inner products of blocks of particles, by the kernels in float32, only leave out pairs that are certainly
 * farther apart, and the others are measured in float64. Blocks follow one another along the coordinate of the greatest
 * variance; two that are farther apart along it, or all but a few of them in one cluster, need none. So it takes O(n²·d) time at worst,
 * as one velocity does, and O(n·d) memory.
 */
export class ClusterCounter {
  private graph?: Promise<CompiledGraph>;
  private readonly rows: number;

  constructor(
    private readonly n: number,
    private readonly d: number,
    private readonly threshold: number,
    private readonly backend?: Backend,
  ) {
    this.rows = Math.min(n, blockRows);
  }

  /** @param x float64 [n·d]. */
  async count(x: Float64Array, signal?: AbortSignal): Promise<number> {
    const { n, d, rows, threshold } = this;
    this.graph ??= this.products();
    const graph = await this.graph;
    const axis = widestAxis(x, d);
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    order.sort((a, b) => x[a * d + axis] - x[b * d + axis]);
    const { centered, halfSquares, margin } = center(x, d, order, rows);
    const sets = new DisjointSets(n);

    const look = async (first: number, second: number): Promise<void> => {
      const [a, b] = [first, second].map((begin) =>
        centered.subarray(begin * d, (begin + rows) * d),
      ) as [Float32Array, Float32Array];
      const { result } = await graph.run({ a, b }, undefined, { signal });
      const { data } = result as { data: Float32Array };
      for (let i = first; i < Math.min(n, first + rows); i++) {
        // ⟨x, y⟩ = (|x|² + |y|² − |x − y|²) / 2
        const least = halfSquares[i] - (threshold ** 2 + margin) / 2;
        const row = (i - first) * rows - second;
        for (let j = Math.max(i + 1, second); j < Math.min(n, second + rows); j++) {
          if (data[row + j] < least + halfSquares[j]) continue;
          if (sets.find(i) === sets.find(j)) continue;
          if (isNear(x, d, order[i], order[j], threshold)) sets.join(i, j);
        }
      }
    };
    /** Joins what is near, pair by pair, where all but a few of two blocks are in one cluster. @returns false where not. */
    const joinFew = (first: number, second: number): boolean => {
      const begins = first === second ? [first] : [first, second];
      const most = sets.find(Math.min(n - 1, first + (rows >> 1)));
      const others: number[] = [];
      for (const begin of begins) {
        for (let i = begin; i < Math.min(n, begin + rows); i++) {
          if (sets.find(i) !== most) others.push(i);
          if (others.length > rows / 16) return false;
        }
      }
      for (const i of others) {
        for (const begin of begins) {
          for (let j = begin; j < Math.min(n, begin + rows); j++) {
            if (sets.find(i) === sets.find(j)) continue;
            if (isNear(x, d, order[i], order[j], threshold)) sets.join(i, j);
          }
        }
      }
      return true;
    };

    // Near blocks before distant ones: what they join saves looking at those.
    for (let gap = 0; gap < n && sets.count > 1; gap += rows) {
      await setImmediate();
      signal?.throwIfAborted();
      for (let first = 0; first + gap < n; first += rows) {
        const second = first + gap;
        const end = order[Math.min(n, first + rows) - 1];
        const between = x[order[second] * d + axis] - x[end * d + axis];
        if (between > threshold || joinFew(first, second)) continue;
        await look(first, second);
      }
    }
    return sets.count;
  }

  async dispose(): Promise<void> {
    const [graph] = await Promise.allSettled([this.graph]);
    this.graph = undefined;
    if (graph.status === 'fulfilled') graph.value?.dispose();
  }

  private products(): Promise<CompiledGraph> {
    const [a, b] = ['a', 'b'].map((name) => input(name, [this.rows, this.d], 'float32'));
    const result = matmul(a, b, { transposeB: true });
    return compile({ result }, undefined, this.backend ? { backend: this.backend } : {});
  }
}

/**
 * The particles in their order, less their mean, so that little is lost in float32 once they are close together: with zeros up to
 * a whole number of blocks; and half of each squared length.
 * @returns with `margin`, more than a squared distance made of float32 products can be too great: d products and sums, each
 * rounded by 2⁻²⁴ of at most the greatest squared length, as are both factors.
 */
function center(x: Float64Array, d: number, order: Uint32Array, rows: number) {
  const n = order.length;
  const mean = new Float64Array(d);
  for (let i = 0; i < x.length; i++) mean[i % d] += x[i] / n;
  const centered = new Float32Array(Math.ceil(n / rows) * rows * d);
  const halfSquares = new Float64Array(n);
  let most = 0;
  for (let i = 0; i < n; i++) {
    for (let column = 0; column < d; column++) {
      const value = x[order[i] * d + column] - mean[column];
      centered[i * d + column] = value;
      halfSquares[i] += value ** 2 / 2;
    }
    most = Math.max(most, 2 * halfSquares[i]);
  }
  return { centered, halfSquares, margin: (d + 8) * 2 ** -23 * most };
}

function widestAxis(x: Float64Array, d: number): number {
  const [sums, squares] = [new Float64Array(d), new Float64Array(d)];
  for (let i = 0; i < x.length; i++) {
    sums[i % d] += x[i];
    squares[i % d] += x[i] ** 2;
  }
  const variances = squares.map((square, i) => square - (sums[i] ** 2 * d) / x.length);
  return variances.indexOf(Math.max(...variances));
}

function isNear(x: Float64Array, d: number, p: number, q: number, distance: number): boolean {
  let square = 0;
  for (let i = 0; i < d; i++) {
    square += (x[p * d + i] - x[q * d + i]) ** 2;
    if (square > distance * distance) return false;
  }
  return true;
}

/** A stretch of time in which the number of clusters stays the same. */
export interface Plateau {
  clusters: number;
  from: number;
  to: number;
}

/**
 * The metastable states of a run: stretches of consecutive samples with the same number of clusters, at least `share` of the
 * whole time long.
 */
export function plateausOf(
  times: readonly number[],
  clusters: readonly number[],
  share = 0.1,
): Plateau[] {
  const found: Plateau[] = [];
  times.forEach((time, i) => {
    const last = found.at(-1);
    if (last && last.clusters === clusters[i]) last.to = time;
    else found.push({ clusters: clusters[i] as number, from: time, to: time });
  });
  const whole = (times.at(-1) ?? 0) - (times[0] ?? 0);
  return found.filter(({ from, to }) => to > from && to - from >= share * whole);
}
