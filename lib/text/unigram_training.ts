import type { TrainingPace } from './training_pace.js';
import { seedStrings } from './unigram_seeds.js';
import { root, Vocabulary } from './vocabulary.js';

/** A token and its log probability. */
export type Scored = [token: string, score: number];

/** Seeds for each token that is wanted. */
const seedsForEach = 8;
/** How many tokens a round leaves of those there are (SentencePiece, `shrinking_factor`). */
const shrinking = 0.75;
/** How many more than are wanted the rounds leave, for the last choice. */
const surplus = 1.1;
/** Tokens that are expected less often than this are left out. */
const leastExpected = 0.5;

/**
 * Learns a unigram language model of tokens (Kudo 2018, "Subword Regularization", section 3.2): from many strings,
 * expectation maximisation gives each a probability, then those go whose loss makes the text least less likely; until as
 * many are left as are wanted. Single characters always stay.
 * @param alphabet the characters; what else words contain parts them. @returns `size` tokens at most, the likeliest first.
 */
export async function trainUnigram(
  counts: ReadonlyMap<string, number>,
  { alphabet, size }: { alphabet: ReadonlyMap<string, number>; size: number },
  pace: TrainingPace,
): Promise<Scored[]> {
  const words = [...counts].flatMap(([word, count]) => runsOf(word, alphabet, count));
  const seeds = await seedStrings(words, seedsForEach * size, pace);
  const starts: [string, number][] = [...alphabet, ...seeds];
  const sum = starts.reduce((total, [, count]) => total + Math.max(1, count), 0);
  let tokens = starts.map(([text, count]): Scored => [text, Math.log(Math.max(1, count) / sum)]);
  const texts = words.map(({ characters, count }) => ({ text: characters.join(''), count }));
  const wanted = Math.max(alphabet.size, Math.ceil(size * surplus));
  const seeded = tokens.length;
  for (;;) {
    const done = Math.max(0, seeded - tokens.length);
    const learned = { done, total: seeded - size };
    for (let step = 0; step < 2; step++) {
      tokens = maximize(tokens, await expect(tokens, texts, pace, learned), alphabet);
    }
    if (tokens.length <= wanted) break;
    const kept = Math.max(wanted, Math.floor(shrinking * tokens.length));
    tokens = await prune(tokens, texts, alphabet, kept, pace, learned);
  }
  return choose(tokens, alphabet, size);
}

/** Runs of known characters in a word. */
function runsOf(
  word: string,
  alphabet: ReadonlyMap<string, number>,
  count: number,
): { characters: string[]; count: number }[] {
  const runs: { characters: string[]; count: number }[] = [{ characters: [], count }];
  for (const character of word) {
    if (alphabet.has(character)) runs.at(-1)?.characters.push(character);
    else runs.push({ characters: [], count });
  }
  return runs.filter(({ characters }) => characters.length > 0);
}

interface Text {
  readonly text: string;
  readonly count: number;
}

interface Progress {
  readonly done: number;
  readonly total: number;
}

/** Where tokens can stand in a text: from `starts[i]` to `ends[i]`, in the order of their beginnings. */
class Lattice {
  readonly vocabulary: Vocabulary;
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  readonly ids: number[] = [];

  constructor(tokens: readonly Scored[]) {
    this.vocabulary = new Vocabulary(tokens.map(([token]) => token));
  }

  /** @returns how many places there are. */
  fill(text: string): number {
    const { vocabulary, starts, ends, ids } = this;
    let count = 0;
    for (let start = 0; start < text.length; start++) {
      let node = root;
      for (let at = start; at < text.length; ) {
        node = vocabulary.next(node, text.charCodeAt(at++));
        if (node === root) break;
        const id = vocabulary.idAt(node);
        if (id < 0) continue;
        starts[count] = start;
        ends[count] = at;
        ids[count++] = id;
      }
    }
    return count;
  }
}

/** How often each token is expected in the texts: the forward–backward algorithm over all ways to cut them. */
async function expect(
  tokens: readonly Scored[],
  texts: readonly Text[],
  pace: TrainingPace,
  progress: Progress,
): Promise<Float64Array> {
  const lattice = new Lattice(tokens);
  const scores = Float64Array.from(tokens, ([, score]) => score);
  const expected = new Float64Array(tokens.length);
  const longest = texts.reduce((most, { text }) => Math.max(most, text.length), 0);
  const [forward, backward] = [new Float64Array(longest + 1), new Float64Array(longest + 1)];
  const { starts, ends, ids } = lattice;
  for (const { text, count } of texts) {
    const places = lattice.fill(text);
    forward.fill(-Infinity, 0, text.length + 1);
    backward.fill(-Infinity, 0, text.length + 1);
    forward[0] = 0;
    backward[text.length] = 0;
    for (let i = 0; i < places; i++) {
      const [from, to] = [starts[i] as number, ends[i] as number];
      const through = (forward[from] as number) + (scores[ids[i] as number] as number);
      forward[to] = logSum(forward[to] as number, through);
    }
    for (let i = places - 1; i >= 0; i--) {
      const [from, to] = [starts[i] as number, ends[i] as number];
      const through = (backward[to] as number) + (scores[ids[i] as number] as number);
      backward[from] = logSum(backward[from] as number, through);
    }
    const all = forward[text.length] as number;
    for (let i = 0; i < places; i++) {
      const id = ids[i] as number;
      const [from, to] = [forward[starts[i] as number], backward[ends[i] as number]];
      const share = Math.exp((from as number) + (scores[id] as number) + (to as number) - all);
      expected[id] += count * share;
    }
    if (pace.isDue) await pace.pause('learn', progress.done, progress.total);
  }
  return expected;
}

function logSum(a: number, b: number): number {
  if (a === -Infinity) return b;
  return a > b ? a + Math.log1p(Math.exp(b - a)) : b + Math.log1p(Math.exp(a - b));
}

/** The probabilities that expectations make likeliest, with a prior that makes rare tokens rarer (Kudo 2018: digamma). */
function maximize(
  tokens: readonly Scored[],
  expected: Float64Array,
  alphabet: ReadonlyMap<string, number>,
): Scored[] {
  const kept = tokens
    .map(([token], id): Scored => [token, expected[id] as number])
    .filter(([token, count]) => count >= leastExpected || alphabet.has(token));
  const sum = kept.reduce((total, [, count]) => total + Math.max(count, leastExpected), 0);
  const all = digamma(sum);
  return kept.map(([token, count]) => [token, digamma(Math.max(count, leastExpected)) - all]);
}

/** ψ(x) for x > 0: the recurrence ψ(x) = ψ(x + 1) − 1/x up to 7, then the asymptotic series (Abramowitz & Stegun 6.3.18). */
function digamma(x: number): number {
  let [at, result] = [x, 0];
  for (; at < 7; at++) result -= 1 / at;
  const square = 1 / (at * at);
  const series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)));
  return result + Math.log(at) - 1 / (2 * at) - series;
}

/** The likeliest way to cut a text. @param without a token that is not to be used. @returns ids, none where there is no way. */
function viterbi(lattice: Lattice, scores: Float64Array, text: string, without = -1): number[] {
  const places = lattice.fill(text);
  const best = new Float64Array(text.length + 1).fill(-Infinity);
  const last = new Int32Array(text.length + 1).fill(-1);
  const { starts, ends, ids } = lattice;
  best[0] = 0;
  for (let i = 0; i < places; i++) {
    const [id, to] = [ids[i] as number, ends[i] as number];
    const score = (best[starts[i] as number] as number) + (scores[id] as number);
    if (id === without || !(score > (best[to] as number))) continue;
    best[to] = score;
    last[to] = i;
  }
  const path: number[] = [];
  for (let at = text.length; at > 0; ) {
    const i = last[at] as number;
    if (i < 0) return [];
    path.push(ids[i] as number);
    at = starts[i] as number;
  }
  return path;
}

/** Leaves `size` tokens: those without which the texts would be least likely (Kudo 2018, section 3.2, step 2c). */
async function prune(
  tokens: readonly Scored[],
  texts: readonly Text[],
  alphabet: ReadonlyMap<string, number>,
  size: number,
  pace: TrainingPace,
  progress: Progress,
): Promise<Scored[]> {
  const lattice = new Lattice(tokens);
  const scores = Float64Array.from(tokens, ([, score]) => score);
  const used = new Float64Array(tokens.length);
  let all = 0;
  for (const { text, count } of texts) {
    for (const id of viterbi(lattice, scores, text)) {
      used[id] += count;
      all += count;
    }
    if (pace.isDue) await pace.pause('learn', progress.done, progress.total);
  }
  const losses: { token: Scored; loss: number }[] = [];
  for (const [id, token] of tokens.entries()) {
    const count = used[id] as number;
    if (alphabet.has(token[0])) {
      losses.push({ token, loss: Infinity });
    } else if (count > 0) {
      // What its text would be written with: each of these would then be as much more frequent.
      const others = viterbi(lattice, scores, token[0], id);
      const sum = all + count * (others.length - 1);
      const instead = others.reduce(
        (total, other) => total + Math.log(((used[other] as number) + count) / sum),
        0,
      );
      losses.push({ token, loss: (count / all) * (Math.log(count / all) - instead) });
    }
    if (pace.isDue) await pace.pause('learn', progress.done, progress.total);
  }
  return losses
    .sort((a, b) => b.loss - a.loss || b.token[1] - a.token[1])
    .slice(0, size)
    .map(({ token }) => token);
}

/** All characters, and of the others the likeliest; sorted by likelihood. */
function choose(
  tokens: readonly Scored[],
  alphabet: ReadonlyMap<string, number>,
  size: number,
): Scored[] {
  const byScore = (a: Scored, b: Scored): number => b[1] - a[1] || (a[0] < b[0] ? -1 : 1);
  const characters = tokens.filter(([token]) => alphabet.has(token));
  const others = tokens.filter(([token]) => !alphabet.has(token)).sort(byScore);
  return [...characters, ...others.slice(0, size - characters.length)].sort(byScore);
}
