/** Plans of one kernel, repeated, and their times. */
import { arena, input, output, planWords, state } from '../test/native/plan_words.mjs';
import { addon } from './addon.mjs';

const kinds = { input, state };

/**
 * A plan of `repeats` times the same node. All but the last write to one buffer of the arena, the last to
 * the output; so one run measures `repeats` calls of the kernel, and no other node disturbs its caches.
 *
 * @param {({ kind: 'input' | 'state', dims: number[], dtype?: string } | null)[]} operands null: an absent optional
 * @param {object[]} states what `loadState` gave, in the order of the operands of kind 'state'
 * @param {{ kernel: string, dtype: string, bytes: number }} [quantize] the kernel that makes the first operand of the given
 *   one, anew each time: two nodes then are one repetition
 */
export function repeatedKernel({
  kernel,
  operands,
  states,
  outputDims,
  ints,
  floats,
  repeats,
  quantize,
}) {
  const counts = { input: 0, state: 0 };
  const values = [];
  const operandValues = operands.map((operand) => {
    if (operand === null) return -1;
    const { kind, dims, dtype } = operand;
    return values.push({ kind: kinds[kind], dtype, index: counts[kind]++, dims }) - 1;
  });
  const scratch = values.push({ kind: arena, index: 0, dims: outputDims }) - 1;
  const result = values.push({ kind: output, index: 0, dims: outputDims }) - 1;
  const outputBytes = Math.ceil((4 * outputDims.reduce((a, b) => a * b)) / 64) * 64;
  const before = [];
  if (quantize) {
    const { kernel, dtype } = quantize;
    const out = values.push({ kind: arena, dtype, index: outputBytes, dims: operands[0].dims }) - 1;
    before.push({ kernel, in: [operandValues[0]], out });
    operandValues[0] = out;
  }
  const nodes = Array.from({ length: repeats }, (_, i) => {
    const out = i === repeats - 1 ? result : scratch;
    return [...before, { kernel, in: operandValues, out, ints, floats }];
  }).flat();
  const arenaBytes = outputBytes + Math.ceil((quantize?.bytes ?? 0) / 64) * 64;
  const words = planWords({ kernels: addon().kernels(), values, nodes, arenaBytes });
  return addon().createPlan(words, states);
}

/** A contestant (alternate.mjs): the milliseconds of each repetition of so many nodes, from the profile of the run. */
export function nodeTimes(plan, inputs, repeats, nodes = 1) {
  return async (reps) => {
    const times = [];
    const profile = new Float64Array(2 * nodes * repeats);
    while (times.length < reps) {
      await addon().run(plan, [], inputs, null, profile);
      for (let i = 0; i < profile.length; i += 2 * nodes) {
        times.push((profile[i + 2 * nodes - 1] - profile[i]) / 1e6);
      }
    }
    return times;
  };
}
