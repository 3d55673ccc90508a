/**
 * The clock of every bench: runs contestants in turn, so that what drifts (clock rate, neighbours on the
 * machine) meets all alike, and takes the median of the rounds.
 *
 * A contestant is `measure(reps)`, which resolves to the milliseconds of each of its repetitions.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Milliseconds before a turn, for idle threads of most engines spin for a while in wait of more work: OpenBLAS's longest, for
 * 2²⁸ cycles of the clock, during which whoever came next had one core and a half.
 */
const pauseOf = (quick) => (quick ? 30 : 100);

/** Milliseconds from which on a contestant is measured once only, in the first round. */
const patience = 5000;

let isOnce = false;

/** From here on each contestant runs once, cold: for asking whether benches work, not how fast anything is. */
export function measureOnce() {
  isOnce = true;
}

/** Milliseconds of a turn, and as many rounds as fit into some seconds. */
function pace(quick, once) {
  const turn = quick ? 25 : 120;
  const round = once.reduce((sum, ms) => sum + pauseOf(quick) + Math.max(turn, ms), 0);
  const fit = Math.floor((quick ? 500 : 10_000) / round);
  return { turn, rounds: quick ? Math.max(1, Math.min(3, fit)) : Math.max(3, Math.min(11, fit)) };
}

/**
 * @param {{ ours: Measure, theirs?: Measure, quick: boolean }} contest
 * @typedef {(reps: number) => Promise<number[]>} Measure
 * @returns {Promise<{ ours: number, theirs: number | null, best?: number, spread: number, runs: number }>} median
 *   milliseconds; `best`: the ratio of the quickest rounds, in which neighbours disturbed least; `spread`: the wider of
 *   the two interquartile ranges, over its median; `runs`: repetitions of each contestant
 */
export async function alternate({ ours, theirs, quick }) {
  const [result] = await alternateWith({ ours, peers: [theirs], quick });
  return result;
}

/**
 * As `alternate`, with several peers in turn; one that is undefined takes no part.
 * @param {{ ours: Measure, peers: (Measure | undefined)[], quick: boolean }} contest
 * @returns what `alternate` does, for each of the peers
 */
export async function alternateWith({ ours, peers, quick }) {
  const contestants = [ours, ...peers].filter((measure) => measure !== undefined);
  const { times, reps } = isOnce ? await once(contestants) : await inTurn(contestants, quick);
  return peers.map((theirs) => {
    const both = theirs === undefined ? [ours] : [ours, theirs];
    return {
      ours: median(times.get(ours)),
      theirs: theirs === undefined ? null : median(times.get(theirs)),
      best: theirs && Math.min(...times.get(theirs)) / Math.min(...times.get(ours)),
      spread: Math.max(...both.map((measure) => relativeSpread(times.get(measure)))),
      runs: Math.min(...both.map((measure) => times.get(measure).length * reps.get(measure))),
    };
  });
}

/** The times of one repetition of each. */
async function once(contestants) {
  const times = new Map();
  for (const measure of contestants) times.set(measure, [median(await measure(1))]);
  return { times, reps: new Map(contestants.map((measure) => [measure, 1])) };
}

/** For each contestant the medians of its rounds, and the repetitions in a round. */
async function inTurn(contestants, quick) {
  const single = new Map();
  for (const measure of contestants) {
    const [first] = await measure(1); // caches, lazy initialisation, the JIT
    single.set(measure, first > (quick ? 200 : 1000) ? first : median(await measure(2)));
  }
  const slow = contestants.filter((measure) => single.get(measure) > patience);
  const usual = contestants.filter((measure) => !slow.includes(measure));
  const { turn, rounds } = pace(
    quick,
    usual.map((measure) => single.get(measure)),
  );
  const reps = new Map(
    contestants.map((measure) => {
      const fit = Math.round(turn / single.get(measure));
      return [measure, Math.max(1, Math.min(500, fit))];
    }),
  );
  const times = new Map(contestants.map((measure) => [measure, []]));
  for (let round = 0; round < rounds; round++) {
    for (const measure of round === 0 ? contestants : usual) {
      await sleep(pauseOf(quick));
      times.get(measure).push(median(await measure(reps.get(measure))));
    }
  }
  return { times, reps };
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
