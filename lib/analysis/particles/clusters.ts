/** How many clusters there are, and for how long. */
import { DisjointSets } from '../disjoint_sets.js';

/**
 * The number of clusters: connected components of the graph that joins any two particles not farther apart than `threshold`
 * (single linkage). Exact. Particles are swept along the coordinate of the greatest variance; those within half a threshold of
 * a leader join it, and pairs are only looked at between groups whose leaders are near. O(n log n + n·w) time, w being
 * how many leaders lie within two thresholds along that coordinate; O(n) memory.
 * @param x float64 [n·d].
 */
export function clusterCount(x: Float64Array, d: number, threshold: number): number {
  const n = x.length / d;
  const axis = widestAxis(x, d);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  order.sort((a, b) => x[a * d + axis] - x[b * d + axis]);

  const leaders: number[] = [];
  const groups: number[][] = [];
  for (let at = 0, first = 0; at < n; at++) {
    const particle = order[at];
    const here = x[particle * d + axis];
    while (first < leaders.length && here - x[leaders[first] * d + axis] > threshold / 2) first++;
    let group = first;
    while (group < leaders.length && !isNear(x, d, particle, leaders[group], threshold / 2))
      group++;
    if (group < leaders.length) {
      groups[group].push(particle);
    } else {
      leaders.push(particle);
      groups.push([particle]);
    }
  }

  const joined = new DisjointSets(leaders.length);
  const isBeyond = (a: number, b: number, reach: number): boolean =>
    x[leaders[b] * d + axis] - x[leaders[a] * d + axis] > reach;
  for (let a = 0; a < leaders.length; a++) {
    for (let b = a + 1; b < leaders.length && !isBeyond(a, b, threshold); b++) {
      if (isNear(x, d, leaders[a], leaders[b], threshold)) joined.join(a, b);
    }
  }
  for (let a = 0; a < leaders.length; a++) {
    for (let b = a + 1; b < leaders.length && !isBeyond(a, b, 2 * threshold); b++) {
      if (joined.find(a) === joined.find(b)) continue;
      if (!isNear(x, d, leaders[a], leaders[b], 2 * threshold)) continue;
      const touch = groups[a].some((p) => groups[b].some((q) => isNear(x, d, p, q, threshold)));
      if (touch) joined.join(a, b);
    }
  }
  return joined.count;
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
