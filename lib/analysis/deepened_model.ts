/** A model of many layers, counted by two that have few of them. */
import { placeLifetimes } from '../graph/memory.js';
import type { EstimatedCounts } from './estimate.js';
import type { CountedModel } from './model_counts.js';
import { type PlacedRun, repeatedLifetimes } from './repeated_run.js';

/**
 * @param few, many the model with few layers, and with `between` periods of layers more. @param added how many more than `many` it has.
 * @returns undefined where the nodes of a run do not repeat with the layers, so that nobody knows where its values lie.
 */
export function deepenedModel(
  few: CountedModel,
  many: CountedModel,
  between: number,
  added: number,
): Pick<EstimatedCounts, 'counts' | 'arenas'> | undefined {
  const arenaOf = (a: PlacedRun, b: PlacedRun): number | undefined => {
    const lifetimes = repeatedLifetimes(a, b, between, added);
    return lifetimes && placeLifetimes(lifetimes, lifetimes.length).bytes;
  };
  const inference: number[] = [];
  for (const [i, run] of many.arenas.inference.entries()) {
    const bytes = arenaOf(few.arenas.inference[i] as PlacedRun, run);
    if (bytes === undefined) return undefined;
    inference.push(bytes);
  }
  const training = arenaOf(few.arenas.training, many.arenas.training);
  if (training === undefined) return undefined;
  const counts = continued(few.counts, many.counts, between, added);
  return { counts, arenas: { inference, training } };
}

/** What grows by the same from layer to layer: every number of `b`, and for each period that is added its share of what `b` has more than `a`. */
function continued<T>(a: T | undefined, b: T, between: number, added: number): T {
  if (typeof b === 'number') {
    const before = typeof a === 'number' ? a : 0;
    return (b + ((b - before) / between) * added) as T;
  }
  const entries = Object.entries(b as object).map(([name, value]) => [
    name,
    continued((a as Record<string, unknown>)?.[name], value, between, added),
  ]);
  return (Array.isArray(b) ? entries.map(([, value]) => value) : Object.fromEntries(entries)) as T;
}
