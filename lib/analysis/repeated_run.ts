/**
 * A run of a model of many layers, known from runs of the same model with few: a layer's nodes stand there as often as there are
 * layers, once for each pass over them (forward, backward, the optimiser's), and so the lifetimes of values in a run
 * of any depth follow from those of two small ones.
 */
import type { Lifetime } from '../graph/memory.js';

/** What of a run decides where its values are placed. */
export interface PlacedRun {
  /** What each node is: alike for nodes that do the same on values of the same sizes. */
  readonly kinds: readonly string[];
  /** In the order of their beginnings. */
  readonly lifetimes: readonly Lifetime[];
  /** How many the lifetimes number. */
  readonly values: number;
}

/** Nodes that stand `copies` times one after the other. */
interface Repetition {
  readonly start: number;
  /** Of one copy. */
  readonly length: number;
  readonly copies: number;
}

/** Of fewer it is unknown how the lifetimes in one differ from those in the next. */
const leastCopies = 2;

/** A place in a run: a node beside the repetitions, or one of a copy. */
interface Place {
  readonly repetition: number | undefined;
  readonly copy: number;
  readonly at: number;
}

/**
 * Lifetimes in a run whose repetitions have more copies.
 *
 * @param few a run of the model with fewer layers than `many` has. @param between how many periods of layers fewer.
 * @param added how many more than `many` the run is to have.
 * @returns undefined where the runs are not made of repetitions, or lifetimes do not repeat with them.
 */
export function repeatedLifetimes(
  few: PlacedRun,
  many: PlacedRun,
  between: number,
  added: number,
): Lifetime[] | undefined {
  const repetitions = repetitionsOf(few.kinds, many.kinds, between);
  return repetitions && new Repeated(many, repetitions, added).lifetimes();
}

/** Of `many`: what has to be taken out of it for `few` to be left. */
function repetitionsOf(
  few: readonly string[],
  many: readonly string[],
  between: number,
): Repetition[] | undefined {
  const found: Repetition[] = [];
  let [i, j] = [0, 0];
  const alike = (from: number, to: number): number => {
    let count = 0;
    while (from + count < few.length && few[from + count] === many[to + count]) count++;
    return count;
  };
  for (;;) {
    const same = alike(i, j);
    i += same;
    j += same;
    if (i === few.length && j === many.length) return found;
    // Of the lengths that what stands before repeats with, the one behind which the runs are alike the longest.
    let best = { length: 0, alike: -1 };
    const room = many.length - j - (few.length - i);
    for (let length = between; length <= room; length += between) {
      const count = alike(i, j + length);
      if (count > best.alike && hasPeriod(many, j, j + length, length / between)) {
        best = { length, alike: count };
      }
    }
    if (best.length === 0 || (best.alike === 0 && i < few.length)) return undefined;
    j += best.length;
    const last = found.at(-1);
    const bound = last ? last.start + last.length * last.copies : 0;
    const repetition = repetitionBefore(many, j, best.length / between, bound);
    if (repetition.copies < leastCopies) return undefined;
    found.push(repetition);
  }
}

function hasPeriod(kinds: readonly string[], from: number, to: number, period: number): boolean {
  if (from < period) return false;
  for (let at = from; at < to; at++) if (kinds[at] !== kinds[at - period]) return false;
  return true;
}

/** All copies up to `end`. @param bound where the repetition before ends. */
function repetitionBefore(
  kinds: readonly string[],
  end: number,
  length: number,
  bound: number,
): Repetition {
  let start = end - length;
  while (start > bound && kinds[start - 1] === kinds[start - 1 + length]) start--;
  const copies = Math.floor((end - start) / length);
  return { start: end - copies * length, length, copies };
}

/** The last node of what begins in a copy, where so many copies are added; undefined where no copy would have it. */
type Rule = (copy: number, added?: number) => number | undefined;

class Repeated {
  private readonly places: readonly Place[];
  /** Of the values that begin at each node. */
  private readonly beginning: readonly (readonly Lifetime[])[];

  constructor(
    run: PlacedRun,
    private readonly repetitions: readonly Repetition[],
    private readonly added: number,
  ) {
    this.places = placesOf(run.kinds.length, repetitions);
    const beginning: Lifetime[][] = run.kinds.map(() => []);
    for (const lifetime of run.lifetimes) beginning[lifetime.first]?.push(lifetime);
    this.beginning = beginning;
  }

  lifetimes(): Lifetime[] | undefined {
    const { repetitions, places } = this;
    const result: Lifetime[] = [];
    for (let node = 0; node < places.length; node++) {
      const index = (places[node] as Place).repetition;
      const repetition = index === undefined ? undefined : repetitions[index];
      if (index === undefined || !repetition) {
        for (const { bytes, last } of this.beginning[node] as Lifetime[]) {
          result.push({
            values: [result.length],
            bytes,
            first: this.moved(node),
            last: this.moved(last),
          });
        }
        continue;
      }
      if (!this.addCopies(result, index, repetition)) return undefined;
      node += repetition.copies * repetition.length - 1;
    }
    return result;
  }

  /** What begins in copies. @returns false where it is unknown when it ends. */
  private addCopies(result: Lifetime[], index: number, repetition: Repetition): boolean {
    const { added } = this;
    const { start, length, copies } = repetition;
    const half = Math.floor(copies / 2);
    const rules = this.rulesOf(repetition, half);
    if (!rules) return false;
    let first = this.startOf(index);
    for (let copy = 0; copy < copies + added; copy++) {
      // What is added stands between the halves, so that the first and last layers keep their ways.
      const source = copy < half ? copy : Math.max(half, copy - added);
      const isAdded = copy >= half && copy < half + added;
      for (let at = 0; at < length; at++, first++) {
        const own = this.beginning[start + source * length + at] as readonly Lifetime[];
        const ruled = rules[at] as readonly Rule[];
        for (let i = 0; i < own.length; i++) {
          const { bytes, last } = own[i] as Lifetime;
          const rule = ruled[i] as Rule;
          let end = rule(source) === last ? rule(copy, added) : undefined;
          if (end === undefined) {
            if (isAdded) return false;
            end = this.moved(last);
          }
          result.push({ values: [result.length], bytes, first, last: end });
        }
      }
    }
    return true;
  }

  /** For every node of a copy, when what begins there ends: by the two copies in the middle. */
  private rulesOf({ start, length }: Repetition, half: number): Rule[][] | undefined {
    const rules: Rule[][] = [];
    for (let at = 0; at < length; at++) {
      const next = this.beginning[start + half * length + at] as readonly Lifetime[];
      const before = this.beginning[start + (half - 1) * length + at] as readonly Lifetime[];
      const ruled: Rule[] = [];
      for (let i = 0; i < next.length; i++) {
        const rule = before[i] && this.ruleOf(before[i].last, (next[i] as Lifetime).last, half);
        if (!rule) return undefined;
        ruled.push(rule);
      }
      rules.push(ruled);
    }
    return rules;
  }

  /** @param one, next the last nodes of what begins in the copies `half` − 1 and `half`. @returns undefined where they have no rule in common. */
  private ruleOf(one: number, next: number, half: number): Rule | undefined {
    const [a, b] = [this.places[one] as Place, this.places[next] as Place];
    if (a.repetition === undefined && b.repetition === undefined) {
      if (one !== next) return undefined;
      const moved = this.moved(one);
      return (_, added = 0) => (added === 0 ? one : moved);
    }
    if (a.repetition === undefined || a.repetition !== b.repetition || a.at !== b.at) {
      return undefined;
    }
    const { start, length, copies } = this.repetitions[a.repetition] as Repetition;
    const direction = b.copy - a.copy; // of the pass in which they end, against that in which they begin
    if (Math.abs(direction) !== 1) return undefined;
    const moved = this.startOf(a.repetition);
    return (copy, added = 0) => {
      const end = b.copy + direction * (copy - half) + (direction > 0 ? 0 : added);
      if (end < 0 || end >= copies + added) return undefined;
      return (added === 0 ? start : moved) + end * length + a.at;
    };
  }

  /** Where a node stands that keeps its distance from the beginning or the end of what it is in. */
  private moved(node: number): number {
    const { repetition: index, copy } = this.places[node] as Place;
    let at = node;
    this.repetitions.forEach(({ start, length, copies }, i) => {
      const isBehind = i === index ? copy >= Math.floor(copies / 2) : start < node;
      if (isBehind) at += this.added * length;
    });
    return at;
  }

  private startOf(index: number): number {
    let { start } = this.repetitions[index] as Repetition;
    for (const { length } of this.repetitions.slice(0, index)) start += this.added * length;
    return start;
  }
}

function placesOf(nodes: number, repetitions: readonly Repetition[]): Place[] {
  const places = Array.from(
    { length: nodes },
    (_, at): Place => ({ repetition: undefined, copy: 0, at }),
  );
  repetitions.forEach(({ start, length, copies }, repetition) => {
    for (let i = 0; i < length * copies; i++) {
      places[start + i] = { repetition, copy: Math.floor(i / length), at: i % length };
    }
  });
  return places;
}
