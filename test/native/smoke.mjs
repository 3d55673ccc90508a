/**
 * The addon alone, without the library: one plan compared with plain JavaScript, then what callers can
 * do wrong. `node test/native/smoke.mjs [addon]`; it also runs under AddressSanitizer.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { misuses } from './misuse.mjs';
import { arena, input, output, planWords, state } from './plan_words.mjs';

const root = new URL('../../', import.meta.url);
const addonPath = resolve(process.argv[2] ?? new URL('build/Release/heddle.node', root).pathname);
const addon = createRequire(import.meta.url)(addonPath);
const kernels = addon.kernels();
const folder = mkdtempSync(join(tmpdir(), 'heddle-smoke-'));

const [rows, inner, outer] = [5, 7, 19];
let seed = 17;
function random() {
  seed = (seed * 48271) % 2147483647;
  return seed / 1073741823.5 - 1;
}
const randoms = (count) => Float32Array.from({ length: count }, random);

/** x → gelu(x·Wᵀ + b) → layerNorm, rows symbolic. */
const words = planWords({
  kernels,
  capacities: [64],
  arenaBytes: 64 * outer * 4,
  values: [
    { kind: input, index: 0, dims: [-1, inner] },
    { kind: state, index: 0, dims: [outer, inner] },
    { kind: state, index: 1, dims: [outer] },
    { kind: state, index: 2, dims: [outer] },
    { kind: arena, index: 0, dims: [-1, outer] },
    { kind: output, index: 0, dims: [-1, outer] },
  ],
  nodes: [
    { kernel: 'linear', in: [0, 1, 2, -1], out: 4, ints: [3, 0] },
    { kernel: 'layerNorm', in: [4, 3, -1], out: 5, floats: [1e-5] },
  ],
});

function reference(x, weight, bias, gamma) {
  const result = [];
  for (let r = 0; r < x.length / inner; r++) {
    const row = Array.from({ length: outer }, (_, n) => {
      let sum = bias[n];
      for (let k = 0; k < inner; k++) sum += x[r * inner + k] * weight[n * inner + k];
      const cubic = sum + 0.044715 * sum ** 3;
      return 0.5 * sum * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * cubic));
    });
    const mean = row.reduce((a, b) => a + b) / outer;
    const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / outer;
    result.push(...row.map((y, n) => ((y - mean) / Math.sqrt(variance + 1e-5)) * gamma[n]));
  }
  return result;
}

function assertClose(actual, expected) {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, i) => {
    assert.ok(Math.abs(value - expected[i]) < 1e-4, `[${i}]: ${value} against ${expected[i]}`);
  });
}

async function computes() {
  const [x, weight, bias, gamma] = [rows * inner, outer * inner, outer, outer].map(randoms);
  const path = join(folder, 'weights');
  writeFileSync(path, weight);
  const range = { path, offset: 0, bytes: weight.byteLength, dtype: 'F32', dims: [outer, inner] };
  const packed = await addon.loadState([range], 'float32', 'packed');
  const again = await addon.loadState([range], 'float32', 'packed');
  assert.equal(addon.counters().stateBytes, packed.bytes, 'the same range is the same memory');
  assert.deepEqual(packed.read(), weight);
  again.release();
  const states = [packed, ...[bias, gamma].map((d) => addon.createState('float32', [outer], d))];
  const plan = addon.createPlan(words, states);
  assert.equal(plan.arenaBytes, 64 * outer * 4);
  for (const each of states) each.release(); // the plan keeps them
  const before = addon.counters();
  const expected = reference(x, weight, bias, gamma);
  const profile = new Float64Array(4);
  const copy = x.slice();
  const pending = addon.run(plan, [rows], [copy], null, profile);
  copy.fill(NaN); // inputs are copied at the call
  assertClose((await pending)[0], expected);
  assert.ok(profile[0] <= profile[1] && profile[1] <= profile[2] && profile[2] <= profile[3]);
  const after = addon.counters();
  assert.deepEqual([after.runs - before.runs, after.nodes - before.nodes], [1, 2]);
  for (const threads of [1, 3, addon.info().threads]) {
    addon.setThreads(threads);
    assertClose((await addon.run(plan, [rows], [x], null, null))[0], expected);
  }
  assert.equal((await addon.run(plan, [0], [new Float32Array(0)], null, null))[0].length, 0);
  const many = Array.from({ length: 50 }, () => addon.run(plan, [rows], [x], null, null));
  for (const [result] of await Promise.all(many)) assertClose(result, expected);
  plan.release();
  plan.release();
  assert.deepEqual(
    [addon.counters().states, addon.counters().stateBytes, addon.counters().plans],
    [0, 0, 0],
  );
}

async function cancels() {
  const cancel = addon.createCancel();
  const zeros = ['float32', [outer, inner]];
  const states = [zeros, ['float32', [outer]], ['float32', [outer]]].map(([dtype, dims]) =>
    addon.createState(dtype, dims, null),
  );
  const plan = addon.createPlan(words, states);
  cancel.cancel();
  await assert.rejects(addon.run(plan, [1], [new Float32Array(inner)], cancel, null), {
    name: 'AbortError',
    code: 'ABORT_ERR',
  });
  for (const each of [plan, ...states]) each.release();
}

async function writesStates() {
  const moment = addon.createState('float32', [4], Float32Array.of(1, 2, 3, 4));
  const double = planWords({
    kernels,
    arenaBytes: 64,
    values: [
      { kind: state, index: 0, dims: [4] },
      { kind: arena, index: 0, dims: [4] },
    ],
    nodes: [
      { kernel: 'scale', in: [0], out: 1, floats: [2, 0.5] },
      { kernel: 'assign', in: [1, -1], out: 0 },
    ],
  });
  const plan = addon.createPlan(double, [moment]);
  assert.deepEqual(await addon.run(plan, [], [], null, null), []);
  assert.deepEqual(moment.read(), Float32Array.of(2.5, 4.5, 6.5, 8.5));
  plan.release();
  moment.release();
}

try {
  await computes();
  await cancels();
  await writesStates();
  const tried = await misuses(addon, folder, words, { rows, inner, outer });
  globalThis.gc?.();
  console.log(`smoke: ok, ${tried} misuses refused (${addon.info().isa})`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
