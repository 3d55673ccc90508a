/**
 * The clock of every bench: runs two contestants in turn, so that what drifts (clock rate, neighbours on the
 * machine) meets both alike, and takes the median of the rounds.
 *
 * A contestant is `measure(reps)`, which resolves to the milliseconds of each of its repetitions.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** Idle threads of most engines spin for a moment in wait of more work; the other's turn begins after that. */
const pause = 30;

/**
 * @param {{ ours: Measure, theirs?: Measure, quick: boolean }} contest
 * @typedef {(reps: number) => Promise<number[]>} Measure
 * @returns {Promise<{ ours: number, theirs: number | null, spread: number, runs: number }>} median
 *   milliseconds; `spread`: the wider of the two interquartile ranges, over its median; `runs`: repetitions
 *   of each contestant
 */
export async function alternate({ ours, theirs, quick }) {
  const contestants = theirs === undefined ? [ours] : [ours, theirs];
  const turn = quick ? 60 : 200; // milliseconds
  const reps = [];
  let slowest = 0;
  for (const measure of contestants) {
    const [first] = await measure(1); // caches, lazy initialisation, the JIT
    const once = median(await measure(first > 1000 ? 1 : 2));
    slowest = Math.max(slowest, once);
    reps.push(Math.max(1, Math.min(500, Math.round(turn / once))));
  }
  const rounds = quick ? 5 : slowest > 1000 ? 7 : 15;
  const times = contestants.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, measure] of contestants.entries()) {
      await sleep(pause);
      times[i].push(median(await measure(reps[i])));
    }
  }
  const [first, second] = times;
  return {
    ours: median(first),
    theirs: second === undefined ? null : median(second),
    spread: Math.max(...times.map(relativeSpread)),
    runs: rounds * Math.min(...reps),
  };
}

/** The contestant that is an async function: each repetition is one awaited call. */
export function calls(f) {
  return async (reps) => {
    const times = [];
    for (let i = 0; i < reps; i++) {
      const begin = performance.now();
      await f();
      times.push(performance.now() - begin);
    }
    return times;
  };
}

export function quantile(values, q) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

export const median = (values) => quantile(values, 0.5);

const relativeSpread = (values) =>
  (quantile(values, 0.75) - quantile(values, 0.25)) / median(values);
