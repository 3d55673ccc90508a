/** Plans of a few kernels, repeated, and the times of their nodes. */
import { arena, input, output, planWords, state } from '../test/native/plan_words.mjs';
import { addon } from './addon.mjs';

const kinds = { input, state };
const alignment = 64;
const bytesOf = { float32: 4, float16: 2, bfloat16: 2, int32: 4 };

/**
 * A plan that goes `repeats` times through the same steps. What a step makes lies in the arena, at the same place each time;
 * only the last goes to the output. So one run measures many calls of a kernel, and no other node disturbs its caches.
 *
 * @param {Record<string, { kind: 'input' | 'state', dims: number[], dtype?: string }>} operands inputs and states, in the order
 * in which `run` and `states` give them
 * @param {{ kernel: string, in: (string | null)[], out: string, dims: number[], more?: ({ out: string, dims: number[] } | null)[], dtype?: string, ints?: number[], floats?: number[] }[]} steps
 * `in`: operands or earlier results by name; null is an absent optional. `more`: results after the first
 * @param {object[]} states what `loadState` and `createState` gave
 */
export function repeatedSteps({ operands, steps, states = [], repeats }) {
  const counts = { input: 0, state: 0 };
  const values = [];
  const numbers = {};
  const add = (value) => values.push(value) - 1;
  for (const [name, { kind, dims, dtype }] of Object.entries(operands)) {
    numbers[name] = add({ kind: kinds[kind], dtype, index: counts[kind]++, dims });
  }
  let arenaBytes = 0;
  const results = steps.flatMap((step) => [step, ...(step.more ?? [])]).filter((each) => each);
  for (const { out, dims, dtype = 'float32' } of results) {
    numbers[out] = add({ kind: arena, dtype, index: arenaBytes, dims });
    arenaBytes += align(sizeOf(dims, dtype));
  }
  const { dims } = steps.at(-1);
  const result = add({ kind: output, index: 0, dims });
  const nodes = Array.from({ length: repeats * steps.length }, (_, i) => {
    const step = steps[i % steps.length];
    const first = i === repeats * steps.length - 1 ? result : numbers[step.out];
    const more = (step.more ?? []).map((each) => (each ? numbers[each.out] : -1));
    const operandNumbers = step.in.map((name) => (name === null ? -1 : numbers[name]));
    return {
      kernel: step.kernel,
      in: operandNumbers,
      out: [first, ...more],
      ints: step.ints ?? [],
      floats: step.floats ?? [],
    };
  });
  const words = planWords({ kernels: addon().kernels(), values, nodes, arenaBytes });
  const plan = addon().createPlan(words, states);
  return { plan, nodes: nodes.length, repeats, release: () => plan.release() };
}

function sizeOf(dims, dtype) {
  const [rows, columns] = dims;
  // Rows carry a scale and a zero each (native/kernels/quantized.h), blocks a scale and a sum (quantized_blocks.h).
  if (dtype === 'int8') return 4 + rows * (columns + 8);
  if (dtype === 'int8Blocks') return rows * Math.ceil(columns / 32) * 40;
  return bytesOf[dtype] * dims.reduce((a, b) => a * b, 1);
}

const align = (bytes) => Math.ceil(bytes / alignment) * alignment;

/**
 * A contestant (alternate.mjs): the milliseconds of each time through the steps, from the profile of the run.
 * @param {number} [threads] of the team, where it is not the one that the bench has set
 */
export function stepTimes({ plan, nodes, repeats }, inputs, threads) {
  return async (reps) => {
    const before = addon().info().threads;
    if (threads !== undefined) addon().setThreads(threads);
    const times = [];
    const profile = new Float64Array(2 * nodes);
    while (times.length < reps) {
      await addon().run(plan, [], inputs, null, profile);
      for (let i = 0; i < nodes; i += nodes / repeats) {
        let ns = 0;
        for (let j = i; j < i + nodes / repeats; j++) ns += profile[2 * j + 1] - profile[2 * j];
        times.push(ns / 1e6);
      }
    }
    if (threads !== undefined) addon().setThreads(before);
    return times;
  };
}
