/**
 * The addon itself, for benches of single kernels, as the library starts it: with the instruction set of HEDDLE_ISA and
 * with threads that sleep between runs, as those of a user do.
 */
import { createRequire } from 'node:module';
import { ops, run, tensor } from '../dist/index.mjs';

let loaded;

/** Loads it; whoever measures awaits this once. */
export async function startEngine() {
  await run(ops.scale(tensor(Float32Array.of(1), [1]), 1));
  loaded = createRequire(import.meta.url)('../build/Release/heddle.node');
}

export function addon() {
  return loaded;
}
